"""OpenDocument spreadsheets and binary workbooks are read as .xlsx workbooks are, and refused where they cannot be."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.envelope import Problem
from services.field_mapping.reading import FileRejected, ReadLimits, ReadTable, read_tables
from tests.field_mapping.test_reading_rejections import with_part
from tests.field_mapping.workbook_files import (
    Broken,
    Sheet,
    ods,
    ods_of,
    ods_sheet,
    packed,
    record,
    xlsb,
    xlsb_cell,
    xlsb_of,
    xlsb_row,
)

WRITERS: dict[str, Callable[[Mapping[str, Sheet], str], bytes]] = {"ods": ods, "xlsb": xlsb}
BOTH = pytest.mark.parametrize("write", WRITERS.values(), ids=list(WRITERS))


def read(folder: Path, content: bytes, limits: ReadLimits | None = None) -> list[ReadTable]:
    (folder / "stored").write_bytes(content)
    return read_tables(folder / "stored", "estate", limits or ReadLimits())


def refused(folder: Path, content: bytes, limits: ReadLimits | None = None) -> Problem:
    with pytest.raises(FileRejected) as caught:
        read(folder, content, limits)
    assert caught.value.problem.file_name == "estate"
    return caught.value.problem


@BOTH
def test_a_sheet_is_read_as_text_with_its_row_numbers(tmp_path: Path, write: Callable[..., bytes]) -> None:
    rows: Sheet = [
        ["Estate of 2024"],
        [],
        [None, "name", "cpus", "disk", "up", "built", "seen"],
        [None, "wéb01 & <b>", 4, 0.1 + 0.2, True, date(2024, 1, 2), datetime.fromisoformat("2024-01-02T03:04:05")],
        [],
        [None, "db01", 16.0, 1.5, False, date(2024, 1, 3), datetime.fromisoformat("2024-01-03T00:00:00")],
    ]
    (table,) = read(tmp_path, write({"Servers": rows}))
    assert (table.sheet, table.header_row) == ("Servers", 3)
    found = table.frame.with_columns(seen=table.frame["seen"].str.replace("T", " ")).rows()
    assert found == [
        (4, "wéb01 & <b>", "4", "0.3", "true", "2024-01-02", "2024-01-02 03:04:05"),
        (6, "db01", "16", "1.5", "false", "2024-01-03", "2024-01-03 00:00:00"),
    ]
    assert [problem.code for problem in table.problems] == ["rows_above_header"]


@BOTH
def test_every_visible_sheet_with_a_table_is_read(tmp_path: Path, write: Callable[..., bytes]) -> None:
    sheets = {
        "vInfo & <all>": [["VM", "CPUs"], ["a", 1]],
        "secret": [["x", "y"], ["z", 1]],
        "Hosts": [["H", "n"], ["h", 2]],
    }
    found = read(tmp_path, write(sheets, hidden="secret"))
    assert [(table.sheet, table.frame.height) for table in found] == [("vInfo & <all>", 1), ("Hosts", 1)]
    assert ["secret" in problem.detail for problem in found[0].problems] == [True]


@BOTH
def test_failed_formulas_are_kept_as_their_text(tmp_path: Path, write: Callable[..., bytes]) -> None:
    rows: Sheet = [["name", "owner", "cpus"], ["web01", Broken("#N/A"), 2], ["db01", "Ann", Broken("#REF!")]]
    (table,) = read(tmp_path, write({"Servers": [[], *([None, *row] for row in rows)]}))
    assert table.frame.rows() == [(3, "web01", "#N/A", "2"), (4, "db01", "Ann", "#REF!")]


def test_times_of_day_and_durations_of_open_document_are_kept(tmp_path: Path) -> None:
    rows: Sheet = [["name", "backup"], ["web01", time(22, 30)], ["db01", time(3, 4, 5)]]
    (table,) = read(tmp_path, ods({"Servers": rows}))
    assert table.frame["backup"].to_list() == ["22:30:00", "03:04:05"]
    cell = '<table:table-cell office:value-type="time" office:time-value="PT36H00M01.5S"/>'
    sheet = ods_sheet("S", [["name", "up"], ["web01"]]).replace(
        "<text:p>web01</text:p></table:table-cell>", f"<text:p>web01</text:p></table:table-cell>{cell}"
    )
    assert read(tmp_path, ods_of(sheet))[0].frame["up"].to_list() == ["36:00:01"]


def test_a_row_that_open_document_repeats_is_so_many_rows(tmp_path: Path) -> None:
    sheet = ods_sheet("S", [["name", "cpus", "backup"]]).replace(
        '<table:table-row table:number-rows-repeated="1048575">',
        '<table:table-row table:number-rows-repeated="3">'
        '<table:table-cell office:value-type="string"><text:p>web</text:p></table:table-cell>'
        '<table:table-cell office:value-type="float" office:value="2"/>'
        '<table:table-cell office:value-type="time" office:time-value="PT01H00M00S"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048572">',
    )
    (table,) = read(tmp_path, ods_of(sheet))
    assert table.frame.rows() == [(row, "web", "2", "01:00:00") for row in (2, 3, 4)]


@BOTH
def test_a_sheet_with_far_cells_is_refused_before_it_is_opened(tmp_path: Path, write: Callable[..., bytes]) -> None:
    servers: list[list[object]] = [["name", "cpus"], ["web01", 2]]
    wide = write({"Servers": [*servers, [None] * 2_500 + ["far"]]})
    assert (refused(tmp_path, wide).code, refused(tmp_path, wide).column) == ("too_many_columns", "column 2501")
    long = write({"Servers": [*servers, *([[]] * 60), ["far"]]})
    assert (
        refused(tmp_path, long, ReadLimits(max_rows=50)).code,
        refused(tmp_path, long, ReadLimits(max_rows=50)).row,
    ) == (
        "too_many_rows",
        63,
    )
    assert refused(tmp_path, long, ReadLimits(max_sheet_cells=100)).code == "sheet_too_large"


def test_repeated_cells_count_as_many(tmp_path: Path) -> None:
    def bomb(rows: int, columns: int) -> bytes:
        cell = (
            f'<table:table-cell table:number-columns-repeated="{columns}" office:value-type="float" office:value="4"/>'
        )
        row = f'<table:table-row table:number-rows-repeated="{rows}">{cell}</table:table-row>'
        return ods_of(f'<table:table table:name="S">{row}</table:table>')

    assert refused(tmp_path, bomb(1_000_000, 1_000)).code == "sheet_too_large"
    assert refused(tmp_path, bomb(4_000_000_000, 1)).code == "too_many_rows"
    assert refused(tmp_path, bomb(1, 4_000_000_000)).code == "too_many_columns"
    endless = (
        '<table:table-cell office:value-type="time" office:time-value="PT1H00M00S" table:number-columns-repeated="9"/>'
    )
    row = f'<table:table-row table:number-rows-repeated="900000">{endless}</table:table-row>'
    problem = refused(tmp_path, ods_of(f'<table:table table:name="S">{row}</table:table>'))
    assert (problem.code, "1,000,000 times" in problem.detail) == ("broken_workbook", True)


def test_an_open_document_with_a_password_or_a_document_type_is_refused(tmp_path: Path) -> None:
    locked = ods_of(ods_sheet("S", [["a", "b"], ["c", 1]]), manifest="<manifest:encryption-data/>")
    assert refused(tmp_path, locked).code == "encrypted_workbook"
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
    problem = refused(tmp_path, with_part(ods({"S": [["a", "b"], ["c", 1]]}), "content.xml", laughs.encode()))
    assert (problem.code, "document type" in problem.detail) == ("broken_workbook", True)


def test_an_open_document_text_is_no_table(tmp_path: Path) -> None:
    content = packed(
        {"mimetype": "application/vnd.oasis.opendocument.text", "META-INF/manifest.xml": "", "content.xml": ""}
    )
    problem = refused(tmp_path, content)
    assert (problem.code, "OpenDocument file other than a spreadsheet" in problem.detail) == ("not_a_table", True)


def test_cells_that_the_parser_would_pass_over_are_refused(tmp_path: Path) -> None:
    begun = xlsb_row(0) + xlsb_cell(0, "name") + xlsb_cell(1, "cpus") + xlsb_row(1) + xlsb_cell(0, "web01")
    problem = refused(tmp_path, xlsb_of({"S": begun + record(16, bytes(12))}))
    assert (problem.code, "short form" in problem.detail) == ("broken_workbook", True)


@pytest.mark.parametrize("cut", [1, 3, 9])
def test_a_binary_sheet_that_ends_within_a_record_is_refused(tmp_path: Path, cut: int) -> None:
    whole = xlsb({"S": [["name", "cpus"], ["web01", 2]]})
    sheet = xlsb_row(0) + xlsb_cell(0, "name") + xlsb_cell(1, "cpus") + xlsb_row(1) + xlsb_cell(0, "web01")
    assert refused(tmp_path, with_part(whole, "xl/worksheets/sheet1.bin", sheet[:-cut])).code == "broken_workbook"


def test_a_sheet_that_the_parser_leaves_early_is_refused(tmp_path: Path) -> None:
    rows = xlsb_row(0) + xlsb_cell(0, "name") + xlsb_cell(1, "cpus") + xlsb_row(1) + xlsb_cell(0, "web01")
    # Data ends here for the parser, as for Excel; what follows it would be lost.
    late = record(146) + xlsb_row(2) + xlsb_cell(0, "db01")
    problem = refused(tmp_path, xlsb_of({"S": rows + late}))
    assert (problem.code, "beyond row 2" in problem.detail) == ("broken_workbook", True)


def test_comments_in_cells_are_no_values_but_untyped_texts_are_refused(tmp_path: Path) -> None:
    sheet = ods_sheet("S", [["name", "cpus"], ["web01", 2]])
    note = "<office:annotation><text:p>who?</text:p></office:annotation>"
    noted = sheet.replace("</table:table-row>", f"<table:table-cell>{note}</table:table-cell></table:table-row>", 2)
    assert read(tmp_path, ods_of(noted))[0].frame.rows() == [(2, "web01", "2")]
    untyped = sheet.replace(
        "<table:table-cell table", "<table:table-cell><text:p>x</text:p></table:table-cell><table:table-cell table", 1
    )
    problem = refused(tmp_path, ods_of(untyped))
    assert (problem.code, "no type" in problem.detail) == ("broken_workbook", True)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=12).filter(
        lambda text: text == " ".join(text.split())
    ),
    st.sampled_from([Broken("#N/A"), Broken("#DIV/0!")]),
    st.dates(date(1950, 1, 1), date(2090, 1, 1)),
)


def shown(cell: object) -> str | None:
    match cell:
        case None | "":
            return None
        case bool():
            return str(cell).lower()
        case Broken():
            return cell.shown
        case _:
            return f"{cell}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(st.sampled_from(list(WRITERS)), st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=9))
def test_every_filled_cell_arrives_in_its_place(tmp_path: Path, kind: str, rows: list[list[object]]) -> None:
    first: list[list[object]] = [["name", "a", "b", "c"], ["web01", "x", "y", "z"], ["web02", "x", "y", "z"]]
    (table,) = read(tmp_path, WRITERS[kind]({"S": [*first, *rows, *first[1:]]}, ""))
    found = {number: tuple(cells) for number, *cells in table.frame.iter_rows()}
    expected = {number: tuple(map(shown, row)) for number, row in enumerate([*first, *rows, *first[1:]], start=1)}
    assert found == {number: row for number, row in expected.items() if number > 1 and any(row)}
