"""Of every file, whatever its format: loaded, merged, rejected and left-out rows add up to the rows of the file."""

import csv
import gzip
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.field_mapping.reading import FileRejected, ReadLimits
from tests.field_mapping.mutated_files import HEADER, Row, in_columns, mutated_file
from tests.field_mapping.row_accounts import read_and_account
from tests.field_mapping.workbook_files import ods, xlsb

ROOT = Path(__file__).parents[2]
MUTATED, IN_ONE_PROCESS = 400, 80


def delimited(rows: list[Row], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def workbook(rows: list[Row]) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet("Servers")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return content.getvalue()


def zipped(rows: list[Row]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("servers.csv", delimited(rows, ";"))
    return content.getvalue()


def records(rows: list[Row]) -> list[dict[str, str]]:
    return [dict(zip(HEADER, row, strict=False)) for row in rows[1:]]


def parquet(rows: list[Row]) -> bytes:
    content = io.BytesIO()
    schema = dict.fromkeys(HEADER, pl.String)
    pl.DataFrame(
        [[record.get(name) for name in HEADER] for record in records(rows)], schema, orient="row"
    ).write_parquet(content)
    return content.getvalue()


# Formats that have rows above and below the table, and cells beside it.
SHEETS: dict[str, Callable[[list[Row]], bytes]] = {
    "csv": delimited,
    "utf-16": lambda rows: delimited(rows, "\t", "utf-16"),
    "cp1252": lambda rows: delimited(rows, "|", "cp1252"),
    "columns": in_columns,
    "xlsx": workbook,
    "ods": lambda rows: ods({"Servers": rows}),
    "xlsb": lambda rows: xlsb({"Servers": rows}),
    "gzip": lambda rows: gzip.compress(delimited(rows), mtime=0),
    "zip": zipped,
}
RECORDS: dict[str, Callable[[list[Row]], bytes]] = {
    "json": lambda rows: json.dumps(records(rows)).encode(),
    "json lines": lambda rows: "\n".join(map(json.dumps, records(rows))).encode() + b"\n{}\n",
    "parquet": parquet,
}
CELLS = [
    st.sampled_from(
        ["web01", "web01.corp.example", "WEB01", "db01", "Total", "10.0.0.9", "", " ", "n/a", "#REF!", "x" * 99]
    ),
    st.sampled_from(["10.0.0.1", "[10.0.0.1,fe80::1];", "-1", ""]),
    st.sampled_from(["16", "8 GB", "1.024,5", "-1", "lots", ""]),
    st.sampled_from(["RHEL 8", "Windows Server 2019", "", "N/A"]),
    st.sampled_from(["prod", "Test", "", "\u00fcber"]),
]
SERVERS = st.tuples(*CELLS).map(list)
ODD_ROWS = st.sampled_from(
    [
        [],
        [""],
        HEADER,
        ["Total", "", "99"],
        ["End of report"],
        ["12 rows selected"],
        ["", "", "", "", "", "beside"],
        ["web07"],
    ]
)
# The first row shows what the columns are, as the first of a real export does.
FIRST = ["app01", "10.1.1.1", "32", "RHEL 8", "prod"]


def filled(rows: list[Row]) -> int:
    return sum(any(cell.strip() for cell in row) for row in rows)


def account(folder: Path, content: bytes) -> tuple[int, int, int]:
    """The row of the header, the rows that were loaded, merged or rejected, and those that were left out."""
    (folder / "stored").write_bytes(content)
    (table,), _ = read_and_account(folder / "stored", "upload", ReadLimits())
    return table.header_row, table.frame.height, table.left_out


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120, deadline=None)
@given(st.sampled_from(list(SHEETS)), st.lists(st.one_of(SERVERS, SERVERS, ODD_ROWS), max_size=12), st.booleans())
def test_rows_of_sheets_add_up(tmp_path: Path, kind: str, rows: list[Row], titled: bool) -> None:
    above: list[Row] = [["Inventory"], []] if titled else []
    written = [*above, HEADER, FIRST, *rows]
    header_row, used, left_out = account(tmp_path, SHEETS[kind](written))
    assert used + left_out == filled(written[header_row:])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.sampled_from(list(RECORDS)), st.lists(SERVERS, max_size=12))
def test_records_add_up(tmp_path: Path, kind: str, rows: list[Row]) -> None:
    assert account(tmp_path, RECORDS[kind]([HEADER, FIRST, *rows])) == (0, 1 + filled(rows), 0)


@pytest.mark.parametrize("first", range(0, MUTATED, IN_ONE_PROCESS))
def test_a_file_after_accidents_is_read_or_refused_with_its_problem(first: int) -> None:
    # In a process of its own, for a parser that crashes or takes all memory would end the tests.
    run = subprocess.run(
        [sys.executable, "-m", __name__, str(first), str(first + IN_ONE_PROCESS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout[-200:]}\n{run.stderr[-2000:]}"
    outcomes = run.stdout.split("\n")
    assert sum(" read" in line for line in outcomes) >= IN_ONE_PROCESS // 8
    assert sum(" refused" in line for line in outcomes) >= IN_ONE_PROCESS // 8


def _read_mutated(folder: Path, seed: int) -> str:
    kind, content = mutated_file(seed)
    (folder / "stored").write_bytes(content)
    print(f"\n{seed} {kind}", end="", flush=True)  # noqa: T201  what was read when a process ended
    try:
        read_and_account(folder / "stored", "upload", ReadLimits())
    except FileRejected as error:
        problem = error.problem
        assert problem.code
        assert len(problem.detail) > 20
        assert (problem.file_name or "").startswith("upload")
        return " refused"
    return " read"


if __name__ == "__main__":
    import resource
    import tempfile

    resource.setrlimit(resource.RLIMIT_DATA, (4 * 1024**3, 4 * 1024**3))
    with tempfile.TemporaryDirectory() as place:
        for number in range(int(sys.argv[1]), int(sys.argv[2])):
            sys.stdout.write(_read_mutated(Path(place), number))
