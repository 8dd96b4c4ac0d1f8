"""Workbooks: every visible sheet with a table, and cells as people see them."""

import base64
import io
import zipfile
import zlib
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xlsxwriter.worksheet import Worksheet

from services.field_mapping.reading import ReadTable, read_tables


def read(path: Path) -> list[ReadTable]:
    return read_tables(path, "export.xlsx")


def fill(worksheet: Worksheet, *rows: list[object], first_row: int = 0, first_column: int = 0) -> None:
    for number, row in enumerate(rows, start=first_row):
        worksheet.write_row(number, first_column, row)


def one_sheet(path: Path, *rows: list[object]) -> ReadTable:
    with xlsxwriter.Workbook(path) as workbook:
        fill(workbook.add_worksheet("Servers"), *rows)
    (table,) = read(path)
    return table


def codes(table: ReadTable) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.row) for problem in table.problems]


def test_a_sheet_is_read_as_text_with_its_row_numbers(tmp_path: Path) -> None:
    table = one_sheet(tmp_path / "a.xlsx", ["name", "cpus"], ["web01", "04"], ["db01", None])
    assert table.frame.schema == {"_row": pl.Int64, "name": pl.String, "cpus": pl.String}
    assert (table.sheet, table.header_row) == ("Servers", 1)
    assert table.frame.rows() == [(2, "web01", "04"), (3, "db01", None)]


def test_numbers_and_truth_values_read_as_they_are_shown(tmp_path: Path) -> None:
    values: list[object] = ["x", 16, 16.0, 1.5, 0.1 + 0.2, 123456789012, -5.25, True, False]
    table = one_sheet(tmp_path / "a.xlsx", [f"c{number}" for number in range(9)], values)
    expected = ("x", "16", "16", "1.5", "0.3", "123456789012", "-5.25", "true", "false")
    assert table.frame.drop("_row").rows() == [expected]


def test_dates_read_as_iso_strings(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        worksheet = workbook.add_worksheet()
        fill(worksheet, ["name", "built", "seen", "backup"], ["web01"], ["db01"])
        day, moment = (workbook.add_format({"num_format": code}) for code in ("dd/mm/yyyy", "dd/mm/yyyy hh:mm"))
        clock = workbook.add_format({"num_format": "hh:mm"})
        for row in (1, 2):
            worksheet.write_datetime(row, 1, date(2024, 1, row), day)
            worksheet.write_datetime(
                row, 2, datetime(2024, 1, 2, 3 * row - 3, 4, 5, tzinfo=UTC).replace(tzinfo=None), moment
            )
            worksheet.write_datetime(row, 3, time(22, 30), clock)
    (table,) = read(tmp_path / "a.xlsx")
    assert table.frame.drop("_row").rows() == [
        ("web01", "2024-01-01", "2024-01-02 00:04:05", "22:30:00"),
        ("db01", "2024-01-02", "2024-01-02 03:04:05", "22:30:00"),
    ]


def test_a_moment_at_midnight_among_other_moments_keeps_its_time(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        worksheet = workbook.add_worksheet()
        fill(worksheet, ["name", "seen"], ["web01"], ["db01"])
        moment = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        worksheet.write_datetime(1, 1, datetime.fromisoformat("2024-01-02 00:00"), moment)
        worksheet.write_datetime(2, 1, datetime.fromisoformat("2024-01-02 10:00"), moment)
    (table,) = read(tmp_path / "a.xlsx")
    assert table.frame["seen"].to_list() == ["2024-01-02 00:00:00", "2024-01-02 10:00:00"]


def test_error_values_read_as_their_text(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        worksheet = workbook.add_worksheet()
        fill(worksheet, ["name", "owner", "cpus"], ["web01"], ["db01", "Ann", 4], first_row=2, first_column=1)
        worksheet.write_formula(3, 2, "=VLOOKUP(1,A1:A2,1)", None, "#N/A")
        worksheet.write_formula(3, 3, "=B99", None, "#REF!")
    (table,) = read(tmp_path / "a.xlsx")
    assert table.frame.rows() == [(4, "web01", "#N/A", "#REF!"), (5, "db01", "Ann", "4")]


def test_every_visible_sheet_with_a_table_is_read_in_order(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        fill(workbook.add_worksheet("vInfo"), ["VM", "CPUs"], ["web01", 4])
        workbook.add_worksheet("empty")
        fill(workbook.add_worksheet("header only"), ["VM", "Disk"])
        hidden = workbook.add_worksheet("hidden")
        fill(hidden, ["secret", "value"], ["a", "b"])
        hidden.hide()
        very_hidden = workbook.add_worksheet("very hidden")
        fill(very_hidden, ["secret", "value"], ["a", "b"])
        very_hidden.very_hidden()
        fill(workbook.add_worksheet("vHost & <more>"), ["Host", "Memory"], ["esx01", 128])
        chart = workbook.add_chart({"type": "line"})
        chart.add_series({"values": "=vInfo!$B$2:$B$2"})
        workbook.add_chartsheet("chart").set_chart(chart)
    tables = read(tmp_path / "a.xlsx")
    assert [(table.sheet, table.frame.height) for table in tables] == [("vInfo", 1), ("vHost & <more>", 1)]
    [[told], []] = [table.problems for table in tables]
    assert told.code == "sheet_not_read"
    assert "hidden, very hidden" in told.detail
    assert "secret" not in told.detail


def test_a_sheet_of_notes_and_one_without_a_header_are_named_as_not_read(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        fill(workbook.add_worksheet("Notes"), ["Made by hand"], ["Ask Ann about owners"])
        fill(workbook.add_worksheet("Servers"), ["name", "cpus"], ["web01", 4])
        fill(workbook.add_worksheet("Pivot"), [1, 2, 3], [4, 5, 6])
    (table,) = read(tmp_path / "a.xlsx")
    assert table.sheet == "Servers"
    assert [problem.code for problem in table.problems] == ["sheet_not_read", "sheet_not_read"]
    assert "Notes" in table.problems[0].detail
    assert "Pivot" in table.problems[1].detail


def test_a_title_above_blank_rows_and_a_total_below_are_not_data(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        worksheet = workbook.add_worksheet()
        worksheet.merge_range(1, 1, 1, 3, "Server inventory")
        fill(
            worksheet,
            ["name", "owner", "cpus"],
            ["web01", "Ann", 4],
            [],
            ["name", "owner", "cpus"],
            first_row=3,
            first_column=1,
        )
        fill(worksheet, ["db01", "Bob", 8], ["Total", None, 12], first_row=7, first_column=1)
    (table,) = read(tmp_path / "a.xlsx")
    assert table.header_row == 4
    assert table.frame.rows() == [(5, "web01", "Ann", "4"), (8, "db01", "Bob", "8")]
    assert codes(table) == [("rows_above_header", 1), ("repeated_header", 7), ("footer_row", 9)]


def test_formatted_rows_down_to_the_last_one_are_not_rows(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        worksheet = workbook.add_worksheet()
        bold = workbook.add_format({"bold": True})
        fill(worksheet, ["name", "cpus"], ["web01", 4])
        for column in range(40):
            worksheet.write_blank(1_048_575, column, None, bold)
    (table,) = read(tmp_path / "a.xlsx")
    assert table.frame.rows() == [(2, "web01", "4")]


def test_an_unnamed_cell_beside_the_table_is_kept(tmp_path: Path) -> None:
    table = one_sheet(tmp_path / "a.xlsx", ["name", "cpus"], ["web01", 4, None, "check"], ["db01", 8])
    assert table.frame.columns == ["_row", "name", "cpus", "column 4"]
    assert table.frame["column 4"].to_list() == ["check", None]


def test_a_workbook_with_prefixed_elements_is_read(tmp_path: Path) -> None:
    one_sheet(tmp_path / "a.xlsx", ["name", "cpus"], ["web01", 4])
    with zipfile.ZipFile(tmp_path / "a.xlsx") as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "xl/worksheets/sheet1.xml":
                content = (
                    content.replace(b"</", b"<\0")
                    .replace(b"<", b"<x:")
                    .replace(b"<x:?", b"<?")
                    .replace(b"<x:\0", b"</x:")
                )
                content = content.replace(b"xmlns=", b"xmlns:x=")
            new.writestr(entry.filename, content)
    (table,) = read(tmp_path / "b.xlsx")
    assert table.frame.rows() == [(2, "web01", "4")]


# A workbook of the old format (BIFF8) with one sheet: name, cpus; web01, 4.
OLD_WORKBOOK = (
    "c-rk)J!lj`6#iy&m-`{P?8S?a2*(jHYD{6Uv56Z4n#vHhP(;wXWD7~WgpEIFq0xAyAXp`&38b-!+W3PO3KkYZL<>O>?zFTL6jCI&zV~icE}9|-"
    "8lud%%r|e}yqS5s^JZpe-z+AJa}U}|_yzk>hq50-eU(m8iUl_|sNDBi4Du)?-{7A@EJ_1eAI8(h*AX5=9`6z?+z-7V20l?bg>ejw<=xB%qECFt"
    "D)ym=SYehl3ABn=&B8;%TZHe4<ul=4(cBX5A={!liA86ibDxgl6IQ#FCBW@Ik~$wm(~TCq;wZj$TUBhsIN+Vlj&9C^bf^LIpmFPW^RAa2Eh0q&"
    "IFIjs2KW}t)aMza-&nl@>6cdPBWvjISRr5%{uv4I0-Er$j!Pmq=6V-hZ(<o~u!a+v=CkKq%7(@-OoV|;Zf;L^oY!QT!}h8<+$gc#Ks-#%vYeC%"
    "w`rALzWep<;oP8eS~QcgZdX?K?d%YIT<028IUyz1Pwo`nEqp^--6nFIaEjuR@{Yk4EgYH>o10SFLH+C%ymNL`$va6dd^z$sUHI(mB6*>|bS1U$"
    "-kC!??KZ<ypRXx&sV+4$&3NJjxza1aN8#4rR)wf#Yu|mng*9OXaS@Zkl{<brO53Y7?3LJai&w3<_>-ibX_vH`@lak*Z`D2-hk=2Cfq{X6fq}v1"
    "gwkL3`h-Cr?v?XHME}=Wp;R`%N&Z_L#TZ@Z>0o*gdCEOpt|@-DBCLY8)H>?~{|gz%sdo<}$cY~#HODWV|5Ww!th=K9=cZ7t{g-R;^Dp=R1Ci#z"
    "W&"
)


def test_a_workbook_of_the_old_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_bytes(zlib.decompress(base64.b85decode(OLD_WORKBOOK)))
    (table,) = read(tmp_path / "a.xls")
    assert (table.sheet, table.frame.rows()) == ("Servers", [(2, "web01", "4")])


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co", "Z"]), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8))
def test_any_written_sheet_comes_back_cell_by_cell(tmp_path: Path, body: list[list[str]]) -> None:
    content = io.BytesIO()
    header = ["name", "owner", "notes"]
    rows = [["web", "Ann", "first"], *body]
    with xlsxwriter.Workbook(content) as workbook:
        worksheet = workbook.add_worksheet()
        for at, row in enumerate([header, *rows]):
            for column, cell in enumerate(row):
                worksheet.write_string(at, column, cell)
    (tmp_path / "a.xlsx").write_bytes(content.getvalue())
    (table,) = read(tmp_path / "a.xlsx")
    dropped = {problem.row for problem in table.problems}
    filled = [(at, *(cell or None for cell in row)) for at, row in enumerate(rows, start=2) if any(row)]
    assert table.frame.rows() == [row for row in filled if row[0] not in dropped]
