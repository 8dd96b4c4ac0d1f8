"""RVTools exports: the tabs that describe one machine joined into one row for each, from a workbook or from files.

A row of a tab belongs to the virtual machine of vInfo, or host of vHost, with the same name and, where both tabs have
them, the same identifier. Of several rows for one machine sizes are added up and other values listed. The tabs and
their columns are those of the RVTools documentation, 3.9 to 4.7; "MB" became "MiB" in 4.1.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from contracts.claim_checks import JOINED_ROWS, ROW_NUMBER
from contracts.envelope import Problem
from services.field_mapping.read_table import ReadTable, at_most, packed

Rule = Literal["sum", "list"]

# What each tab adds to a machine. Everything else in it repeats vInfo, or tells how the hypervisor presents it.
_OF_MACHINES: dict[str, dict[str, Rule]] = {
    "vCPU": {"Sockets": "sum", "Cores p/s": "list"},
    "vMemory": {"Size": "sum", "Consumed": "sum", "Active": "sum"},
    "vDisk": {"Disk": "list", "Capacity": "sum", "Thin": "list", "Raw": "list"},
    "vPartition": {"Disk": "list", "Capacity": "sum", "Consumed": "sum", "Free": "sum"},
    "vNetwork": {
        "Network": "list",
        "Mac Address": "list",
        "IP Address": "list",
        "IPv4 Address": "list",
        "IPv6 Address": "list",
    },
    "vSnapshot": {"Size MiB (total)": "sum", "Size MB (total)": "sum"},
    "vTools": {},
    "vFloppy": {},
    "vCD": {},
    "vUSB": {},
}
_OF_HOSTS: dict[str, dict[str, Rule]] = {
    "vSC_VMK": {"IP Address": "list", "Mac Address": "list"},
    "vNIC": {"MAC": "list"},
    "vHBA": {},
}
_NO_MACHINES = (
    *("vRP", "vCluster", "vSwitch", "vPort", "dvSwitch", "dvPort", "vDatastore", "vMultiPath"),
    *("vLicense", "vFileInfo", "vHealth", "vSource", "vMetaData"),
)
# What tells machines of one name apart, best first.
_IDENTIFIERS: tuple[tuple[str, ...], ...] = (
    ("VM UUID",),
    ("VM ID", "VI SDK UUID"),
    ("VM ID", "VI SDK Server"),
    ("Datacenter", "Cluster", "Host"),
    ("Datacenter", "Cluster"),
)
_TABS = {name.lower(): name for name in ("vInfo", "vHost", *_OF_MACHINES, *_OF_HOSTS, *_NO_MACHINES)}
# What stands before and after the tab's name tells whose it is: "north_RVTools_tabvInfo.csv", "vDisk_2024-05-01.csv".
_FILE = re.compile(
    rf"(?:.*/)?(?P<before>(?:.*?[\W_])??)(?:rvtools_?)?(?:tab)?(?P<tab>{'|'.join(_TABS)})(?P<after>(?:[\W_].*?)??)"
    r"(?:\.(?:csv|tsv|txt|xlsx?|gz|zip))*",
    re.IGNORECASE,
)
_UNITS = ("", " MB", " MiB")
_MATCH = "_match"


@dataclass(frozen=True)
class _Joined:
    """The rows of a table with those of another tab beside them, the rows that fit none, and the joined columns."""

    frame: pl.DataFrame
    orphans: pl.DataFrame
    columns: list[str]


def join_tabs(tables: Sequence[ReadTable]) -> list[ReadTable]:
    """The same tables, with the tabs of each RVTools export joined into vInfo and vHost.

    Rows that fit no machine, or one of several machines, stay as a table of their own; tabs without machines are left
    out. The problems of vInfo tell what became of each tab.
    """
    exports: dict[tuple[str, ...], dict[str, ReadTable]] = {}
    for table in tables:
        exports.setdefault(_export(table), {}).setdefault(_tab(table), table)
    changed: dict[int, list[ReadTable]] = {}
    for tabs in exports.values():
        _join_export(tabs, changed)
    return [kept for table in tables for kept in changed.get(id(table), [table])]


def is_tab_alone(tables: Sequence[ReadTable]) -> bool:
    """Whether a file holds a single tab of an RVTools export, whose other tabs may be files of the same import."""
    return len(tables) == 1 and _FILE.fullmatch(tables[0].file_name) is not None


def join_files(files: Sequence[Sequence[ReadTable]]) -> list[list[ReadTable]]:
    """The tables of each file, where every file holds one tab (`is_tab_alone`), joined as the tabs of a workbook are.

    Files whose names differ in more than the tab are of different exports. Where one tab is there several times
    nobody knows what belongs to which, so nothing is joined, and each table says so.
    """
    exports: dict[tuple[str, ...], list[ReadTable]] = {}
    for (table,) in files:
        exports.setdefault(_labels(table.file_name), []).append(table)
    changed: dict[int, list[ReadTable]] = {}
    for tables in exports.values():
        tabs = {_file_tab(table.file_name): table for table in tables}
        if len(tabs) == len(tables):
            _join_export(tabs, changed)
        elif "vInfo" in tabs:
            changed |= {id(table): [_of_several(table)] for table in tables}
    return [changed.get(id(table), [table]) for (table,) in files]


def _of_several(table: ReadTable) -> ReadTable:
    note = _note(
        table,
        "sheet_not_joined",
        "A tab of RVTools is here several times under names that do not tell which tabs belong together, so none were "
        "joined. Put the files of each export into a folder of a ZIP archive, or upload its workbook.",
    )
    return replace(table, problems=at_most([note, *table.problems], table.file_name))


def _join_export(tabs: dict[str, ReadTable], changed: dict[int, list[ReadTable]]) -> None:
    machines, hosts = tabs.get("vInfo"), tabs.get("vHost")
    if machines is None or "VM" not in machines.columns:
        return
    idle = [table for tab, table in tabs.items() if tab in _NO_MACHINES]
    _join(machines, "VM", tabs, _OF_MACHINES, idle, changed)
    if hosts is not None and "Host" in hosts.columns:
        _join(hosts, "Host", tabs, _OF_HOSTS, [], changed)


def _tab(table: ReadTable) -> str:
    return _TABS.get(table.sheet.lower(), table.sheet) if table.sheet else _file_tab(table.file_name)


def _file_tab(name: str) -> str:
    match = _FILE.fullmatch(name)
    return _TABS[match["tab"].lower()] if match else name


def _labels(name: str) -> tuple[str, ...]:
    """What a file's name says beside the tab, in lower case."""
    match = _FILE.fullmatch(name)
    return (match["before"].lower(), match["after"].lower()) if match else (name,)


def _export(table: ReadTable) -> tuple[str, ...]:
    """What belongs together: the sheets of a workbook, and the files of a folder of an archive that are named alike."""
    if table.sheet:
        return (table.file_name,)
    return (table.file_name.rpartition("/")[0], *_labels(table.file_name))


def _join(
    anchor: ReadTable,
    name: str,
    tabs: dict[str, ReadTable],
    rules: dict[str, dict[str, Rule]],
    idle: Iterable[ReadTable],
    changed: dict[int, list[ReadTable]],
) -> None:
    frame, notes, left_out = anchor.frame, [], anchor.left_out
    for tab, wanted in rules.items():
        table = tabs.get(tab)
        if table is None or name not in table.columns:
            continue
        joined = _join_tab(frame, tab, table, name, wanted)
        if joined.frame.width > frame.width:
            columns = ", ".join(joined.columns) or "no column that a migration needs"
            rows = _rows(table.height - joined.orphans.height, tab)
            notes.append(_note(table, "sheet_joined", f"Joined by {name}: {rows}, {columns}."))
        frame, left_out = joined.frame, left_out + table.left_out
        notes += table.problems
        changed[id(table)] = []
        if not joined.orphans.is_empty():
            text = (
                f"Read as a table of their own: {_rows(joined.orphans.height, tab)} with a {name} that {_tab(anchor)}"
            )
            problem = _note(table, "sheet_not_joined", f"{text} does not have, or has several times.")
            changed[id(table)] = [replace(table, parquet=packed(joined.orphans), problems=[problem], left_out=0)]
    for table in idle:
        what = _rows(table.height, _tab(table))
        notes.append(_note(table, "sheet_not_read", f"Left out, as they describe no machines: {what}."))
        left_out += table.height + table.left_out
        changed[id(table)] = []
    problems = at_most([*anchor.problems, *notes], anchor.file_name)
    changed[id(anchor)] = [replace(anchor, parquet=packed(frame), problems=problems, left_out=left_out)]


def _join_tab(frame: pl.DataFrame, tab: str, table: ReadTable, name: str, wanted: dict[str, Rule]) -> _Joined:
    key = _key(frame, table.frame, name)
    machines = frame.select(*key, pl.col(ROW_NUMBER).alias(_MATCH)).filter(~pl.struct(key).is_duplicated())
    rows = table.frame.join(machines, on=key, how="left", maintain_order="left")
    fitting = rows.filter(pl.col(_MATCH).is_not_null())
    rules = {
        column: rule
        for column in table.columns
        for start, rule in wanted.items()
        if column in {start + unit for unit in _UNITS}
    }
    place = f"{table.file_name}{f'/{table.sheet}' if table.sheet else ''}:"
    grouped = fitting.group_by(_MATCH, maintain_order=True).agg(
        *(_combined(fitting[column], rule).alias(f"{tab}.{column}") for column, rule in rules.items()),
        pl.concat_str(pl.lit(place), ROW_NUMBER).str.join("; ").alias("_places"),
    )
    orphans = rows.filter(pl.col(_MATCH).is_null()).drop(_MATCH)
    if grouped.is_empty():
        return _Joined(frame, orphans, [])
    before = [JOINED_ROWS] if JOINED_ROWS in frame.columns else []
    beside = frame.join(grouped, left_on=ROW_NUMBER, right_on=_MATCH, how="left", maintain_order="left")
    places = pl.concat_str(*before, "_places", separator="; ", ignore_nulls=True).replace("", None)
    beside = beside.select(pl.exclude("_places", JOINED_ROWS), places.alias(JOINED_ROWS))
    return _Joined(beside, orphans, [f"{column} ({rule})" for column, rule in rules.items()])


def _key(frame: pl.DataFrame, tab: pl.DataFrame, name: str) -> list[str]:
    """The columns that name exactly one machine in every row, else the name alone."""
    for identifiers in ((), *_IDENTIFIERS):
        key = [name, *(column for column in identifiers if column != name)]
        if not set(key) <= set(frame.columns) & set(tab.columns):
            continue
        if not frame.select(
            pl.any_horizontal(pl.col(key).is_null()).any() | pl.struct(key).is_duplicated().any()
        ).item():
            return key
    return [name]


def _combined(column: pl.Series, rule: Rule) -> pl.Expr:
    """One cell for all rows of a machine: the sum of plain numbers, else every different value."""
    values = pl.col(column.name)
    if rule == "sum" and column.drop_nulls().str.contains(r"^-?\d+(\.\d+)?$").all():
        total = values.cast(pl.Float64).sum()
        whole = pl.when(total == total.round()).then(total.cast(pl.Int64).cast(pl.String))
        return pl.when(values.count() > 0).then(whole.otherwise(total.cast(pl.String)))
    listed = values.drop_nulls().unique(maintain_order=True).str.join("; ")
    return pl.when(values.count() > 0).then(listed)


def _rows(count: int, tab: str) -> str:
    return f"{count:,} row{'' if count == 1 else 's'} of {tab}"


def _note(table: ReadTable, code: str, detail: str) -> Problem:
    return Problem(code=code, detail=detail, file_name=table.file_name)
