"""Delimited text: the dirt of real exports, and that no cell of it is lost."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.field_mapping.reading import ReadTable, read_tables


def read(folder: Path, content: str | bytes, name: str = "export.csv") -> ReadTable:
    path = folder / "stored"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (table,) = read_tables(path, name)
    return table


def rows(table: ReadTable) -> list[tuple[object, ...]]:
    return table.frame.rows()


def codes(table: ReadTable) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.row) for problem in table.problems]


def test_every_column_is_text_with_the_row_number_in_front(tmp_path: Path) -> None:
    table = read(tmp_path, "name,cpus,built\nweb01,04,2021-03-04\ndb01,8,\n")
    assert table.frame.schema == {"_row": pl.Int64, "name": pl.String, "cpus": pl.String, "built": pl.String}
    assert rows(table) == [(2, "web01", "04", "2021-03-04"), (3, "db01", "8", None)]
    assert (table.sheet, table.header_row, table.problems) == (None, 1, [])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    table = read(tmp_path, "name,memory,notes\nweb01,16,x\ndb01,32,y\n".replace(",", delimiter))
    assert table.frame.columns == ["_row", "name", "memory", "notes"]


def test_decimal_commas_do_not_pass_for_delimiters(tmp_path: Path) -> None:
    table = read(tmp_path, "name;size\nweb01;1,5\ndb01;2,25\n")
    assert rows(table) == [(2, "web01", "1,5"), (3, "db01", "2,25")]


def test_decimal_commas_in_every_column_do_not_pass_for_delimiters(tmp_path: Path) -> None:
    table = read(tmp_path, "disk;memory\n1,5;2,5\n3,5;4,5\n")
    assert rows(table) == [(2, "1,5", "2,5"), (3, "3,5", "4,5")]


def test_lists_inside_cells_do_not_pass_for_delimiters(tmp_path: Path) -> None:
    table = read(tmp_path, "name,tags,site\nweb01,a;b;c,Oslo\ndb01,d;e;f,Bergen\n")
    assert table.frame.columns == ["_row", "name", "tags", "site"]


def test_a_delimiter_beside_quotes_inside_cells_does_not_pass_for_the_real_one(tmp_path: Path) -> None:
    adapters = [f'vm{n},"[fd00::{n},10.0.0.{n}];",[00:50:56:00:00:{n:02x}];,on\n' for n in range(1, 60)]
    table = read(tmp_path, "name,IP Addresses,MAC Addresses,power\n" + "".join(adapters))
    assert table.frame.columns == ["_row", "name", "IP Addresses", "MAC Addresses", "power"]
    assert table.frame.height == 59
    assert rows(table)[0] == (2, "vm1", "[fd00::1,10.0.0.1];", "[00:50:56:00:00:01];", "on")


def test_excels_separator_line_names_the_delimiter(tmp_path: Path) -> None:
    table = read(tmp_path, "sep=;\r\nname;owner\r\nweb01;Ann\r\n")
    assert (table.header_row, rows(table), table.problems) == (2, [(3, "web01", "Ann")], [])


def test_outer_blanks_go_and_inner_ones_stay(tmp_path: Path) -> None:
    table = read(tmp_path, '  name , owner\n\t web 01\u00a0," Ann  Lee "\n')
    assert table.frame.columns == ["_row", "name", "owner"]
    assert rows(table) == [(2, "web 01", "Ann  Lee")]


def test_blank_cells_are_null(tmp_path: Path) -> None:
    assert rows(read(tmp_path, 'a,b,c\nx,"",   \n')) == [(2, "x", None, None)]


def test_repeated_and_empty_names_become_unique(tmp_path: Path) -> None:
    table = read(tmp_path, "name,name,,_row,name (2)\na,b,c,d,e\n")
    assert table.frame.columns == ["_row", "name", "name (3)", "column 3", "_row (2)", "name (2)"]


def test_a_column_without_name_and_values_is_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "name,owner,empty,\nweb01,Ann,,\ndb01,Bob,,\n")
    assert table.frame.columns == ["_row", "name", "owner", "empty"]


def test_a_merged_title_row_is_skipped_and_noted(tmp_path: Path) -> None:
    table = read(tmp_path, "Server inventory 2024,,\n\n,,\nname,owner,cpus\nweb01,Ann,4\n")
    assert (table.header_row, rows(table)) == (4, [(5, "web01", "Ann", "4")])
    assert codes(table) == [("rows_above_header", 1)]
    assert "Server inventory 2024" in table.problems[0].detail


def test_a_block_of_metadata_above_the_header_is_skipped(tmp_path: Path) -> None:
    table = read(tmp_path, "Report:,Inventory\nOwner:,IT\n\nname,owner,cpus,site\nweb01,Ann,4,Oslo\ndb01,Bob,8,Oslo\n")
    assert table.header_row == 4


def test_a_group_row_above_the_header_is_skipped(tmp_path: Path) -> None:
    table = read(tmp_path, "Server,,,Storage,,\nname,owner,cpus,disks,size,type\nweb01,Ann,4,2,80,ssd\n")
    assert table.header_row == 2


def test_repeated_headers_in_the_middle_go_and_are_noted(tmp_path: Path) -> None:
    table = read(tmp_path, "name,owner\nweb01,Ann\nname,owner\ndb01,Bob\n name ,owner\n")
    assert rows(table) == [(2, "web01", "Ann"), (4, "db01", "Bob")]
    assert codes(table) == [("repeated_header", 3), ("repeated_header", 5)]


def test_totals_and_closing_notes_go_and_are_noted_with_their_text(tmp_path: Path) -> None:
    table = read(tmp_path, "name,owner,cpus\nweb01,Ann,4\ndb01,Bob,8\n\nTotal,,12\nGenerated by CMDB on 2024-01-02,,\n")
    assert [row[0] for row in rows(table)] == [2, 3]
    assert codes(table) == [("footer_row", 5), ("footer_row", 6)]
    assert "Total | 12" in table.problems[0].detail


@pytest.mark.parametrize("name", ["total-db01", "totals01", "summit", "note-srv", "page01", "sum01.corp.example.com"])
def test_a_machine_with_the_name_of_a_footer_stays(tmp_path: Path, name: str) -> None:
    table = read(tmp_path, f"name,owner,cpus\nweb01,Ann,4\ndb01,Bob,8\n{name},Cat,2\n")
    assert len(rows(table)) == 3


def test_a_last_machine_known_by_its_name_only_stays(tmp_path: Path) -> None:
    assert len(rows(read(tmp_path, "name,owner,cpus\nweb01,Ann,4\ndb01,Bob,8\n\nweb02,,\n"))) == 3


def test_empty_rows_go_and_row_numbers_stay_those_of_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, 'name,owner\n\nweb01,Ann\n , \n"",\ndb01,Bob\n\n\n')
    assert rows(table) == [(3, "web01", "Ann"), (6, "db01", "Bob")]


def test_short_rows_are_padded(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "a,b,c\nx\ny,z\n")) == [(2, "x", None, None), (3, "y", "z", None)]


def test_surplus_cells_are_kept_and_noted(tmp_path: Path) -> None:
    table = read(tmp_path, "name,owner\nweb01,Ann\ndb01,Bob,urgent,,!\ndb02,Cat\n")
    assert table.frame.columns == ["_row", "name", "owner", "column 3", "column 5"]
    assert rows(table)[1] == (3, "db01", "Bob", "urgent", "!")
    assert codes(table) == [("surplus_cells", 3)]
    assert table.problems[0].column == "column 3"


def test_a_first_row_with_surplus_cells_leaves_the_header_in_place(tmp_path: Path) -> None:
    table = read(tmp_path, "name,owner,site\nweb01,Ann,Oslo,x,y,z\n")
    assert (table.header_row, rows(table)) == (1, [(2, "web01", "Ann", "Oslo", "x", "y", "z")])


def test_trailing_delimiters_are_not_surplus(tmp_path: Path) -> None:
    table = read(tmp_path, "name,owner\nweb01,Ann,\ndb01,Bob,,\n")
    assert (table.frame.columns, table.problems) == (["_row", "name", "owner"], [])


def test_more_problems_than_the_profile_carries_are_counted(tmp_path: Path) -> None:
    table = read(tmp_path, "name,owner\n" + "a,b,c\n" * 250)
    assert len(table.problems) == 100
    assert "151" in table.problems[-1].detail
    assert table.frame["column 3"].null_count() == 0


def test_line_breaks_and_quotes_inside_cells_stay(tmp_path: Path) -> None:
    table = read(tmp_path, 'name,notes\nweb01,"first\nsecond, ""third"""\ndb01,x\n')
    assert rows(table) == [(2, "web01", 'first\nsecond, "third"'), (3, "db01", "x")]


def test_inch_marks_do_not_swallow_the_next_rows(tmp_path: Path) -> None:
    table = read(tmp_path, 'name,screen,site\npc1,19",Oslo\npc2,20" wide,Bergen\npc3,21"\n')
    assert rows(table) == [(2, "pc1", '19"', "Oslo"), (3, "pc2", '20" wide', "Bergen"), (4, "pc3", '21"', None)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_understood(tmp_path: Path, end: str) -> None:
    table = read(tmp_path, end.join(["name,owner", "web01,Ann", "db01,Bob", ""]))
    assert rows(table) == [(2, "web01", "Ann"), (3, "db01", "Bob")]


def test_a_last_line_without_an_end_is_read(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "name,owner\nweb01,Ann")) == [(2, "web01", "Ann")]


def test_a_single_column_is_a_table(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "hostname\nweb01\n\ndb01\n")) == [(2, "web01"), (4, "db01")]


def test_quoted_titles_over_two_lines_keep_the_rows_numbered(tmp_path: Path) -> None:
    table = read(tmp_path, '"Inventory\nof servers",,\nname,owner,"cpu\ncount"\nweb01,Ann,4\n')
    assert (table.header_row, rows(table)) == (2, [(3, "web01", "Ann", "4")])
    assert table.frame.columns[-1] == "cpu\ncount"


def test_odd_file_names_are_passed_on(tmp_path: Path) -> None:
    table = read(tmp_path, "name,owner\nweb01,Ann,x\n", name="выгрузка (1) \U0001f600 ..%00;.csv")
    assert table.problems[0].file_name == "выгрузка (1) \U0001f600 ..%00;.csv"


def test_reading_far_into_a_large_file_numbers_rows_right(tmp_path: Path) -> None:
    lines = ["name,notes", *(f'web{number},"note, {number}\r\nmore"' for number in range(30_000)), "last,one,surplus"]
    table = read(tmp_path, "\r\n".join(lines))
    assert table.frame.height == 30_001
    assert rows(table)[-1] == (30_002, "last", "one", "surplus")
    assert rows(table)[20_000] == (20_002, "web20000", "note, 20000\r\nmore", None)


# What a stripped cell loses: Unicode's White_Space, which unlike Python's own leaves the separators 0x1C to 0x1F alone.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
WORDS = st.text(st.sampled_from("abcdefgh"), min_size=3, max_size=8)
ANY_TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff"),
        st.sampled_from(",;\t|\"' \n\r\u00e9\x1c\x1f\x85\u2028"),
    ),
    max_size=8,
)
WESTERN = (
    "Zürich",
    "Århus",
    "café",
    "niño",
    "Größe",
    "über",
    "“x”",
    "5 €",
    "web01",
    "1,5",
    ";",
    "|",
    "\t",
    '"',
    "'",
    "\n",
    " ",
)
WESTERN_TEXT = st.lists(st.sampled_from(WESTERN), max_size=4).map("".join)


@st.composite
def written_tables(draw: st.DrawFn, cells: st.SearchStrategy[str]) -> tuple[list[str], list[list[str]]]:
    header = draw(st.lists(WORDS, min_size=3, max_size=5, unique=True))
    width = len(header)
    body = draw(st.lists(st.lists(cells, min_size=0, max_size=width), min_size=1, max_size=8))
    body += draw(st.lists(st.lists(cells, min_size=width + 1, max_size=width + 2), max_size=1))
    # Some rows full of plain words pin the delimiter, which nobody can know of a file without a regular row.
    return header, [[f"value{number}" for number in range(width)]] * 3 + body


def expected_cells(body: list[list[str]]) -> dict[int, dict[int, str]]:
    found = {
        number: {column: cell.strip(BLANKS) for column, cell in enumerate(row) if cell.strip(BLANKS)}
        for number, row in enumerate(body, start=2)
    }
    return {number: cells for number, cells in found.items() if cells}


def read_cells(table: ReadTable, header: list[str]) -> dict[int, dict[int, str]]:
    positions = {name: at for at, name in enumerate(header)} | {f"column {at + 1}": at for at in range(20)}
    found: dict[int, dict[int, str]] = {}
    for row in table.frame.iter_rows(named=True):
        number = row.pop("_row")
        found[number] = {positions[name]: cell for name, cell in row.items() if cell is not None}
    return found


def check_round_trip(folder: Path, header: list[str], body: list[list[str]], encoding: str, **dialect: object) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows([header, *body])  # type: ignore[arg-type]  # csv's dialect options
    table = read(folder, text.getvalue().encode(encoding))
    dropped = {problem.row for problem in table.problems if problem.code in {"footer_row", "repeated_header"}}
    expected = {number: cells for number, cells in expected_cells(body).items() if number not in dropped}
    assert read_cells(table, header) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120, deadline=None)
@given(
    written=written_tables(ANY_TEXT),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_written_table_comes_back_cell_by_cell(
    tmp_path: Path, written: tuple[list[str], list[list[str]]], delimiter: str, quoting: int, end: str, encoding: str
) -> None:
    header, body = written
    # csv writes a carriage return without quotes when it is no part of the line end; that is a line end to any reader.
    assume(end == "\r\n" or not any("\r" in cell for row in body for cell in row))
    check_round_trip(tmp_path, header, body, encoding, delimiter=delimiter, quoting=quoting, lineterminator=end)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(written=written_tables(WESTERN_TEXT), delimiter=st.sampled_from(",;\t|"))
def test_any_western_table_in_cp1252_comes_back_cell_by_cell(
    tmp_path: Path, written: tuple[list[str], list[list[str]]], delimiter: str
) -> None:
    header, body = written
    check_round_trip(tmp_path, header, body, "cp1252", delimiter=delimiter)
