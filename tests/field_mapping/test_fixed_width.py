"""Tables that consoles print, with their columns one below the other, are read cell by cell and no word is cut."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.field_mapping.reading import FileRejected, ReadTable, read_tables
from tests.field_mapping.row_accounts import check_table


def read(folder: Path, text: str, encoding: str = "utf-8") -> ReadTable:
    (folder / "stored").write_bytes(text.encode(encoding))
    (table,) = read_tables(folder / "stored", "servers.txt")
    check_table(table)
    return table


def cells(table: ReadTable) -> list[tuple[str | None, ...]]:
    return table.frame.drop("_row").rows()


def codes(table: ReadTable) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.row) for problem in table.problems]


POWERSHELL = """
Name                 PowerState Num CPUs MemoryGB UsedSpaceGB
----                 ---------- -------- -------- -----------
web 01               PoweredOn  4          16.000     1234567
a-rather-long-name01 PoweredOff 16        128.000         7.5

"""
SQLCMD = """name                 os                             cores
-------------------- ------------------------------ -----------
db01                 Windows Server 2019 Standard             8
db02                 NULL                                    16

(2 rows affected)
"""
SQLPLUS = """SQL> select * from hosts;

HOST_NAME            IP_ADDRESS         CORES
-------------------- --------------- --------
ora01                10.0.0.1               8
ora02                10.0.0.22             16

2 rows selected.
"""
PSQL = """ name  |    ip     | cores
-------+-----------+-------
 pg01  | 10.0.0.1  |     8
 pg02  |           |    16
(2 rows)
"""
MYSQL = """+------+----------+-------+
| name | ip       | cores |
+------+----------+-------+
| my01 | 10.0.0.1 |     8 |
| my02 | NULL     |    16 |
+------+----------+-------+
2 rows in set (0.00 sec)
"""
MARKDOWN = """| Server | IP | Cores |
|--------|:--:|------:|
| web01  | 10.0.0.1 | 4 |
| web02  | 10.0.0.2 | 8 |
"""
KUBECTL = """NAME        STATUS   ROLES           AGE    VERSION   INTERNAL-IP   OS-IMAGE
node-a      Ready    control-plane   131d   v1.28.2   10.0.0.1      Ubuntu 22.04.3 LTS
node-long   Ready    <none>          9d     v1.28.2   10.0.0.12     Debian GNU/Linux 12 (bookworm)
"""
VIRSH = """ Id   Name       State
--------------------------
 1    web01      running
 -    old-db     shut off

"""
MAINFRAME = """Inventory of all LPARs
as of 2024-05-01

LPAR      Machine     Proc Units   Memory MB
prod01    9117-MMC           4.5       65536
test01    8286-42A          0.25        8192
db        9117-MMC            16      131072
"""


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        (
            POWERSHELL,
            ["Name", "PowerState", "Num CPUs", "MemoryGB", "UsedSpaceGB"],
            [
                ("web 01", "PoweredOn", "4", "16.000", "1234567"),
                ("a-rather-long-name01", "PoweredOff", "16", "128.000", "7.5"),
            ],
        ),
        (
            SQLCMD,
            ["name", "os", "cores"],
            [("db01", "Windows Server 2019 Standard", "8"), ("db02", "NULL", "16")],
        ),
        (SQLPLUS, ["HOST_NAME", "IP_ADDRESS", "CORES"], [("ora01", "10.0.0.1", "8"), ("ora02", "10.0.0.22", "16")]),
        (PSQL, ["name", "ip", "cores"], [("pg01", "10.0.0.1", "8"), ("pg02", None, "16")]),
        (MYSQL, ["name", "ip", "cores"], [("my01", "10.0.0.1", "8"), ("my02", "NULL", "16")]),
        (MARKDOWN, ["Server", "IP", "Cores"], [("web01", "10.0.0.1", "4"), ("web02", "10.0.0.2", "8")]),
        (
            KUBECTL,
            ["NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "OS-IMAGE"],
            [
                ("node-a", "Ready", "control-plane", "131d", "v1.28.2", "10.0.0.1", "Ubuntu 22.04.3 LTS"),
                ("node-long", "Ready", "<none>", "9d", "v1.28.2", "10.0.0.12", "Debian GNU/Linux 12 (bookworm)"),
            ],
        ),
        (VIRSH, ["Id", "Name", "State"], [("1", "web01", "running"), ("-", "old-db", "shut off")]),
        (
            MAINFRAME,
            ["LPAR", "Machine", "Proc Units", "Memory MB"],
            [
                ("prod01", "9117-MMC", "4.5", "65536"),
                ("test01", "8286-42A", "0.25", "8192"),
                ("db", "9117-MMC", "16", "131072"),
            ],
        ),
    ],
    ids=["powershell", "sqlcmd", "sqlplus", "psql", "mysql", "markdown", "kubectl", "virsh", "mainframe"],
)
def test_what_consoles_print_is_read(
    tmp_path: Path, text: str, names: list[str], rows: list[tuple[str | None, ...]]
) -> None:
    for written in (text, text.replace("\n", "\r\n")):
        table = read(tmp_path, written)
        assert (table.frame.columns[1:], cells(table)) == (names, rows)


def test_lines_that_are_no_rows_are_counted_and_named(tmp_path: Path) -> None:
    table = read(tmp_path, MYSQL)
    assert (table.header_row, table.frame["_row"].to_list(), table.left_out) == (2, [4, 5], 3)
    assert codes(table) == [("rows_above_header", 1), ("ruler_row", 3), ("ruler_row", 6), ("footer_row", 7)]
    table = read(tmp_path, SQLPLUS)
    assert codes(table)[-1] == ("footer_row", 8)
    assert (table.header_row, table.frame["_row"].to_list(), table.left_out) == (3, [5, 6], 2)


def test_a_value_that_reaches_beyond_its_column_is_never_cut(tmp_path: Path) -> None:
    lines = [f"srv{number:02}    10.0.0.{number:<3}     {number}" for number in range(10, 40)]
    lines[20] = "a-name-that-is-longer 10.0.0.7 12"
    lines[25] = "two words and more     10.0.0.9   13"
    lines[28] = "a-very-long-name-without-more     rest of it"
    table = read(tmp_path, "\n".join(["NAME     ADDRESS        CPUS", *lines]))
    found = cells(table)
    assert found[20] == ("a-name-that-is-longer", "10.0.0.7", "12")
    assert found[25] == ("two words and more", "10.0.0.9", "13")
    assert " ".join(cell for cell in found[28] if cell) == "a-very-long-name-without-more rest of it"
    assert codes(table) == [("cells_off_columns", 22), ("cells_off_columns", 27), ("cells_off_columns", 30)]


def test_a_delimited_file_with_aligned_cells_is_not_taken_for_columns(tmp_path: Path) -> None:
    table = read(tmp_path, "name    ; ip         ; cores\nweb01   ; 10.0.0.1   ; 4\ndatabase; 10.0.0.12  ; 16\n")
    assert cells(table) == [("web01", "10.0.0.1", "4"), ("database", "10.0.0.12", "16")]


def test_text_in_columns_is_read_in_other_encodings(tmp_path: Path) -> None:
    text = "Name      Ort        Kerne\nwéb01     Zürich     4\ndb01      Malmö      8\n"
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        assert cells(read(tmp_path, text, encoding)) == [("wéb01", "Zürich", "4"), ("db01", "Malmö", "8")]


def test_columns_without_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "stored").write_text("web01     10.0.0.1     4\ndb01      10.0.0.2     8\n")
    with pytest.raises(FileRejected) as caught:
        read_tables(tmp_path / "stored", "servers.txt")
    assert caught.value.problem.code == "no_header"


def test_notes_are_no_columns(tmp_path: Path) -> None:
    assert cells(read(tmp_path, "Ask Ann.\nOr ask Bob.  He knows.\nOr go  home.\n")) == [
        ("Or ask Bob.  He knows.",),
        ("Or go  home.",),
    ]


WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=9)
VALUES = st.one_of(st.just(""), WORDS, st.builds("{} {}".format, WORDS, WORDS))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(WORDS, VALUES, VALUES, VALUES), min_size=3, max_size=12),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.booleans(),
)
def test_every_cell_of_a_printed_table_is_found_again(
    tmp_path: Path, rows: list[tuple[str, ...]], right: list[bool], ruled: bool
) -> None:
    named = [("Host Name", "Operating System", "Data Center", "Cost Owner"), *rows]
    widths = [max(len(row[at]) for row in named) for at in range(4)]
    drawn = [named[0], *([tuple("-" * width for width in widths)] if ruled else []), *rows]
    gap = " " if ruled else "  "
    lines = [
        gap.join(
            cell.rjust(width) if side else cell.ljust(width)
            for cell, width, side in zip(row, widths, right, strict=True)
        )
        for row in drawn
    ]
    table = read(tmp_path, "\n".join(lines))
    # What looks like a closing note below the table is left out and counted.
    kept = [tuple(cell or None for cell in row) for row in rows]
    assert cells(table) == kept[: table.frame.height]
    assert table.frame.height + table.left_out == len(rows) + ruled
