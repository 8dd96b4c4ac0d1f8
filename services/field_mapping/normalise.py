"""From the strings of an imported table to typed canonical columns, with every cell that could not be read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import polars as pl

from contracts.catalog import CATALOG
from contracts.claim_checks import ROW_NUMBER
from contracts.discovery import ColumnMapping, TableMapping, TableProfile
from services.field_mapping.addresses import ip_addresses, mac_addresses, no_reasons, ports, unread
from services.field_mapping.compact_columns import Coded, Column, Each, coded, whole
from services.field_mapping.dates import day_of, read_dates
from services.field_mapping.quantities import read_quantities
from services.field_mapping.remarks import OPEN_DATE, Remark, first_days, with_several
from services.field_mapping.units import factor
from services.field_mapping.vocabularies import (
    BOOLEANS,
    EMPTY_WORDS,
    IS_VIRTUAL,
    SPREADSHEET_ERRORS,
    VOCABULARIES,
    canonical_values,
)

# Raise it with every change that makes a value of the same cell another: origins say by which rules they were read.
RULES_VERSION = 3
# The share of machines with fewer cores than sockets from which on that is no typing error. Our figure.
FEWER_CORES_THAN_SOCKETS = 0.1
# Enough cells to tell whether a column repeats itself: days and people do, but seldom among the first thousand.
_LOOKED_AT = 20_000
# Fields of a table of connections, beside the catalogue.
CONNECTION_TYPES = {
    **dict.fromkeys(("source", "target", "source_application", "target_application", "process", "protocol"), "string"),
    **dict.fromkeys(("source_ip", "target_ip"), "ip"),
    "port": "port",
    "observations": "integer",
}
PROBLEM_SCHEMA = {
    "row": pl.Int64,
    "column": pl.String,
    "field": pl.String,
    "raw": pl.String,
    "reason": pl.String,
    "lost": pl.Boolean,  # the value became null; false for a remark on a value that was kept
}

_BLANKS = " \t\r\n\x0b\x0c\u00a0\u2007\u202f\u200b\ufeff"


class MappingMismatch(ValueError):
    """A mapping that cannot be applied to its table; the message says which column and why."""


@dataclass(frozen=True)
class SourceTable:
    """One imported table: what it looks like, what its columns mean, and its rows as strings beside `_row`.

    The rows may be on disk: as text they take more memory than anything that is made of them, so they are read column
    by column. `own_types` has the types of the fields that the tenant added to the catalogue.
    """

    profile: TableProfile
    mapping: TableMapping
    frame: pl.LazyFrame
    own_types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NormalisedTable:
    """`_row` and one typed column for each mapped field, and the cells that could not be read (`PROBLEM_SCHEMA`)."""

    frame: pl.DataFrame
    problems: pl.DataFrame


def accepted(mapping: TableMapping) -> list[ColumnMapping]:
    """The decided columns, most confident first and then in the file's order."""
    decided = [column for column in mapping.columns if column.status == "accepted" and column.field is not None]
    return sorted(decided, key=lambda column: -column.confidence)


def clean(raw: pl.Series) -> pl.Series:
    """Text without surrounding blanks; null where it only says that there is no value."""
    text = raw.str.strip_chars(_BLANKS)
    return text.set(text.str.to_lowercase().is_in(list(EMPTY_WORDS)), None)


def clean_text(raw: str | None) -> str | None:
    """One cell as `clean` leaves it."""
    text = (raw or "").strip(_BLANKS)
    return None if text.lower() in EMPTY_WORDS else text


def normalise_table(table: SourceTable, each: Each = map) -> NormalisedTable:
    """The columns that `normalise_columns` gives, as one frame behind `_row`."""
    columns, problems = normalise_columns(table, each)
    fields = (whole(column).alias(field) for field, column in columns.items())
    return NormalisedTable(cells_of(table, ROW_NUMBER).to_frame().with_columns(*fields), problems)


def normalise_columns(table: SourceTable, each: Each = map) -> tuple[dict[str, Column], pl.DataFrame]:
    """Every accepted column in its field's type, and its problems; several of one field give its first filled value.

    `each` is `map`, or one that reads several columns at a time. Raises `MappingMismatch` for a column that the table
    does not have, an unknown field or a unit of something else.
    """
    fields: dict[str, list[Column]] = {}
    problems: list[pl.DataFrame] = []
    columns = accepted(table.mapping)
    for column, (values, found) in zip(columns, each(partial(_normalise, table), columns), strict=True):
        fields.setdefault(column.field or "", []).append(values)
        problems.extend(found)
    cleaned = {field: _first_filled(parts) for field, parts in fields.items()}
    return _with_total_cores(cleaned), pl.concat(problems) if problems else pl.DataFrame(schema=PROBLEM_SCHEMA)


def normalise_column(table: SourceTable, column: ColumnMapping) -> tuple[pl.Series, list[pl.DataFrame]]:
    """The values of one accepted column, and what is to be said of its cells (`PROBLEM_SCHEMA`)."""
    values, problems = _normalise(table, column)
    return whole(values), problems


def _normalise(table: SourceTable, column: ColumnMapping) -> tuple[Column, list[pl.DataFrame]]:
    kind = _checked_type(table, column)
    raw = cells_of(table, column.column)
    values, reasons, remarks = _read_column(raw, column, kind, day_of(table.profile.import_id))
    return values, _problems(table, raw, column, reasons, remarks)


def _first_filled(columns: list[Column]) -> Column:
    if len(columns) == 1:
        return columns[0]
    return pl.select(pl.coalesce([pl.lit(whole(column)) for column in columns])).to_series()


def cells_of(table: SourceTable, name: str) -> pl.Series:
    """One column as it was imported."""
    return table.frame.select(name).collect().to_series()


def _with_total_cores(columns: dict[str, Column]) -> dict[str, Column]:
    """`cpu_cores` as the cores of all sockets, as far as the table tells them.

    No machine has fewer cores than sockets, so a column of cores in which that is common counts them per socket, as
    ServiceNow's `cpu_core_count` beside `cpu_count` does.
    """
    given = columns.keys() & {"cpu_sockets", "cores_per_socket", "cpu_cores"}
    if "cpu_sockets" not in given or len(given) < 2:
        return columns
    frame = pl.DataFrame({name: whole(columns[name]) for name in given})
    sockets, cores = pl.col("cpu_sockets"), pl.col("cpu_cores")
    if "cores_per_socket" in given:
        product = sockets * pl.col("cores_per_socket")
        frame = frame.with_columns(cpu_cores=pl.coalesce("cpu_cores", product) if "cpu_cores" in given else product)
    else:
        fewer = frame.select((cores < sockets).mean()).item()
        if fewer is None or fewer < FEWER_CORES_THAN_SOCKETS:
            return columns
        frame = frame.with_columns(cores_per_socket=cores, cpu_cores=cores * pl.coalesce("cpu_sockets", pl.lit(1)))
    return {**columns, **{name: frame[name] for name in ("cores_per_socket", "cpu_cores")}}


def field_types(kind: str) -> dict[str, str]:
    """The fields a table of this kind can be mapped to, each with its type."""
    return CONNECTION_TYPES if kind == "connections" else {field.id: field.type for field in CATALOG.values()}


def _checked_type(table: SourceTable, column: ColumnMapping) -> str:
    sheet = f" [{table.profile.sheet}]" if table.profile.sheet else ""
    where = f"{table.profile.file_name}{sheet}, column {column.column!r}"
    kind = {**table.own_types, **field_types(table.profile.kind)}.get(column.field or "")
    if kind is None:
        raise MappingMismatch(
            f"{where}: {column.field!r} is not a field of {table.profile.kind}. Choose one of the catalogue."
        )
    if column.column not in table.frame.collect_schema():
        raise MappingMismatch(f"{where}: the table has no such column. Map the file again.")
    canonical = CATALOG[column.field].unit if column.field in CATALOG else None
    if canonical and factor(column.unit, canonical) is None:
        raise MappingMismatch(
            f"{where}: the unit {column.unit!r} does not convert to {canonical}. Correct it, or leave it empty."
        )
    return kind


def _read_column(
    raw: pl.Series, column: ColumnMapping, kind: str, day: date | None
) -> tuple[Column, pl.Series | None, list[Remark]]:
    """Values, reasons for the unreadable ones, and what is to be said of values whose reading is a guess.

    Columns that repeat themselves are read once for each different value.
    """
    head = raw.head(_LOOKED_AT)
    if head.n_unique() * 4 >= head.len() * 3:
        return _read(raw, column, kind, day)
    each = coded(raw)
    values, reasons, remarks = _read(each.values, column, kind, day)
    return Coded(each.codes, values), None if reasons is None or not reasons.count() else each.of_each(reasons), remarks


def _read(
    raw: pl.Series, column: ColumnMapping, kind: str, day: date | None
) -> tuple[pl.Series, pl.Series | None, list[Remark]]:
    text, field = clean(raw), column.field or ""
    remarks: list[Remark] = []
    reasons: pl.Series | None
    broken = None
    if text.str.contains("^(?:#|Err:)").any():
        broken = text.str.to_lowercase().is_in(list(SPREADSHEET_ERRORS))
        text = text.set(broken, None)
    reader = _READERS.get(kind)
    if kind in {"integer", "number", "duration"}:
        values, reasons, remark = read_quantities(text, field, kind, column.unit)
        remarks = [remark] if remark is not None else []
    elif kind in {"date", "datetime"}:
        read, open_example = read_dates(text, day)
        remarks = [] if open_example is None else [(open_example, OPEN_DATE)]
        remarks += first_days(text)
        values, reasons = read["value"].cast(pl.Date if kind == "date" else pl.Datetime("us")), read["reason"]
    elif kind == "boolean":
        values, reasons = _booleans(text, column)
    elif reader is not None:
        values, reasons = reader(text)
    elif field in VOCABULARIES:
        known = canonical_values(text, VOCABULARIES[field])
        if field == "environment":
            known, remarks = with_several(text, known)
        values, reasons = known.zip_with(known.is_not_null(), text), None
    elif field in {"hostname", "fqdn"}:
        values = text.set(text.str.contains(r"(?i)^localhost(?:\.|$)"), None)
        reasons = unread(text, values, "every machine calls itself localhost")
    else:
        values, reasons = text, None
    if broken is not None and broken.any():
        reasons = (no_reasons(text) if reasons is None else reasons).set(broken, "a spreadsheet formula that failed")
    return values, reasons, remarks


def _booleans(text: pl.Series, column: ColumnMapping) -> tuple[pl.Series, pl.Series]:
    spellings = IS_VIRTUAL if column.field == "is_virtual" else BOOLEANS
    if column.field == "is_virtual" and re.search("physical|physisch|bare.?metal", column.column, re.IGNORECASE):
        # A column that asks "is it physical?" answers with the opposite.
        opposite = {"true": "false", "false": "true"}
        spellings = {**spellings, **{word: opposite[meaning] for word, meaning in BOOLEANS.items()}}
    values = canonical_values(text, spellings) == "true"
    return values, unread(text, values, "neither yes nor no")


def _lists(text: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Entries separated by "; ", each once, in their order."""
    entries = text.str.strip_chars("[]").str.replace_all(r"\s*[;,|\n]\s*", ";").str.split(";")
    entry = pl.element()
    return entries.list.eval(entry.filter(entry != "").unique(maintain_order=True)).list.join("; "), None


_READERS: dict[str, Callable[[pl.Series], tuple[pl.Series, pl.Series | None]]] = {
    "ip": ip_addresses,
    "mac": mac_addresses,
    "list": _lists,
    "port": ports,
}


def _problems(
    table: SourceTable, raw: pl.Series, column: ColumnMapping, reasons: pl.Series | None, remarks: list[Remark]
) -> list[pl.DataFrame]:
    found = []
    if reasons is not None and reasons.count():
        found.append((reasons.is_not_null(), reasons, True))
    for example, text in remarks:
        first = (raw.str.strip_chars(_BLANKS) == example).arg_true().head(1)
        found.append(
            (
                pl.Series(range(raw.len())).is_in(first.to_list()),
                pl.Series([text]).new_from_index(0, raw.len()),
                False,
            )
        )
    if not found:
        return []
    rows = cells_of(table, ROW_NUMBER)
    return [
        pl.DataFrame({"row": rows.filter(where), "raw": raw.filter(where), "reason": reason.filter(where)}).select(
            "row",
            pl.lit(column.column).alias("column"),
            pl.lit(column.field).alias("field"),
            "raw",
            "reason",
            pl.lit(lost).alias("lost"),
        )
        for where, reason, lost in found
    ]
