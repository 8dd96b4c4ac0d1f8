"""Any delimiter and quoting: found by what divides every row alike."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.field_mapping.reading import read_tables

Rows = list[tuple[str, ...]]
ROWS: Rows = [("name", "address", "memory"), ("web01", "10.0.0.1", "1.024,5"), ("db 01", "10.0.0.2", "16")]


def read(folder: Path, content: bytes) -> Rows:
    (folder / "stored").write_bytes(content)
    (table,) = read_tables(folder / "stored", "export.csv")
    assert table.problems == []
    return [tuple(table.frame.columns[1:]), *table.frame.drop("_row").rows()]


@pytest.mark.parametrize("delimiter", [*";\t|:~^!#$%&*@\x1f\x1e\x01¦¬§", "||", ";;", "\t\t", " | "])
def test_any_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    content = "\r\n".join(delimiter.join(row) for row in ROWS).encode()
    assert read(tmp_path, content) == ROWS


@pytest.mark.parametrize("delimiter", ["¦", "¬", "§"])
def test_a_delimiter_beyond_ascii_is_found_in_a_code_page(tmp_path: Path, delimiter: str) -> None:
    content = "\n".join(delimiter.join((*row, "Zürich")) for row in ROWS).encode("cp1252")
    assert [row[:3] for row in read(tmp_path, content)] == ROWS


def test_a_character_that_divides_rows_unevenly_is_no_delimiter(tmp_path: Path) -> None:
    content = b"server:port\nweb01:443\nfe80::1:80\ndb01\n"
    assert read(tmp_path, content) == [("server:port",), ("web01:443",), ("fe80::1:80",), ("db01",)]


def test_the_first_line_may_name_any_delimiter(tmp_path: Path) -> None:
    assert read(tmp_path, b"sep=^\nname^note\nweb01^a;b,c\n") == [("name", "note"), ("web01", "a;b,c")]


def test_single_quotes_are_quotes_where_the_header_has_them(tmp_path: Path) -> None:
    content = b"'name','owner','note'\n'web01','O''Neill','a, \"b\"'\n'db01','Ann',''\n"
    expected = [("name", "owner", "note"), ("web01", "O'Neill", 'a, "b"'), ("db01", "Ann", None)]
    assert read(tmp_path, content) == expected


def test_single_quotes_elsewhere_are_kept(tmp_path: Path) -> None:
    content = b"name,note\nweb01,'quoted'\ndb01,it's\n"
    assert read(tmp_path, content) == [("name", "note"), ("web01", "'quoted'"), ("db01", "it's")]


def test_quotes_escaped_by_a_backslash_are_read(tmp_path: Path) -> None:
    content = rb'"name","path","note"' + b"\n" + rb'"CORP\web01","C:\\Temp\\","say \"hi\", ok"' + b"\n"
    assert read(tmp_path, content)[1] == ("CORP\\web01", "C:\\Temp\\", 'say "hi", ok')


def test_a_path_that_ends_in_a_backslash_escapes_nothing(tmp_path: Path) -> None:
    content = rb'"name","path"' + b"\n" + rb'"web01","C:\Temp\"' + b"\n" + rb'"db01","D:\"' + b"\n"
    assert read(tmp_path, content)[1:] == [("web01", "C:\\Temp\\"), ("db01", "D:\\")]


CELLS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5),
    st.sampled_from(";\t|~^¬"),
    st.sampled_from(['"', "'"]),
    st.booleans(),
)
def test_every_quoted_table_comes_back(tmp_path: Path, cells: Rows, delimiter: str, quote: str, doubled: bool) -> None:
    text = io.StringIO()
    escape = None if doubled else "\\"
    writer = csv.writer(
        text, delimiter=delimiter, quotechar=quote, quoting=csv.QUOTE_ALL, doublequote=doubled, escapechar=escape
    )
    body = [("server", *row) for row in cells]
    # What tells that backslashes escape is a quote inside a cell, early in the file.
    first = ("first", f"a {quote}quoted{quote} word", "x")
    writer.writerows([("name", "owner", "note"), first, *body])
    found = read(tmp_path, text.getvalue().encode())
    wanted = [tuple(cell.strip() or None for cell in row) for row in [("name", "owner", "note"), first, *body]]
    assert found == wanted
