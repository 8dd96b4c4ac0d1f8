"""ZIP and gzip archives: every table in them, named by its entry, within limits."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from contracts.envelope import Problem
from services.field_mapping.reading import FileRejected, ReadLimits, ReadTable, read_tables

SERVERS = b"name,owner\nweb01,Ann\nweb02,Bob\n"


def zip_of(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return content.getvalue()


def read(folder: Path, content: bytes, limits: ReadLimits | None = None) -> list[ReadTable]:
    path = folder / "stored"
    path.write_bytes(content)
    return read_tables(path, "inventory.zip", limits or ReadLimits())


def refused(folder: Path, content: bytes, limits: ReadLimits | None = None) -> Problem:
    with pytest.raises(FileRejected) as caught:
        read(folder, content, limits)
    return caught.value.problem


def workbook() -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet("Servers")
        sheet.write_row(0, 0, ["name", "cpus"])
        sheet.write_row(1, 0, ["web01", 4])
    return content.getvalue()


def parquet() -> bytes:
    content = io.BytesIO()
    pl.DataFrame({"name": ["web01"], "cpus": [4]}).write_parquet(content)
    return content.getvalue()


def test_a_gzip_file_is_read_as_what_is_in_it(tmp_path: Path) -> None:
    (table,) = read(tmp_path, gzip.compress(SERVERS, mtime=0))
    assert (table.file_name, table.frame["name"].to_list()) == ("inventory.zip", ["web01", "web02"])


def test_every_kind_of_table_in_an_archive_is_read_and_named_by_its_entry(tmp_path: Path) -> None:
    entries = {
        "servers.csv": SERVERS,
        "more/servers.xlsx": workbook(),
        "apps.json": json.dumps([{"application": "Payroll", "owner": "Ann"}]).encode(),
        "apps.ndjson": b'{"application": "CRM", "owner": "x"}\n{"application": "HR", "owner": "y"}\n',
        "servers.parquet": parquet(),
        "servers.csv.gz": gzip.compress(SERVERS, mtime=0),
        "inner.zip": zip_of({"servers.tsv": SERVERS.replace(b",", b"\t")}),
    }
    tables = read(tmp_path, zip_of(entries))
    assert [(table.file_name, table.sheet, table.frame.height) for table in tables] == [
        ("inventory.zip/servers.csv", None, 2),
        ("inventory.zip/more/servers.xlsx", "Servers", 1),
        ("inventory.zip/apps.json", None, 1),
        ("inventory.zip/apps.ndjson", None, 2),
        ("inventory.zip/servers.parquet", None, 1),
        ("inventory.zip/servers.csv.gz", None, 2),
        ("inventory.zip/inner.zip/servers.tsv", None, 2),
    ]


def test_what_systems_put_into_archives_is_passed_over(tmp_path: Path) -> None:
    entries = {
        "__MACOSX/._servers.csv": b"\0\5\x16\7",
        ".DS_Store": b"Bud1",
        "x/Thumbs.db": b"\xd0",
        "servers.csv": SERVERS,
    }
    (table,) = read(tmp_path, zip_of({"folder/": b"", **entries}))
    assert (table.file_name, table.problems) == ("inventory.zip/servers.csv", [])


def test_entries_that_are_no_tables_are_named_beside_those_that_are(tmp_path: Path) -> None:
    entries = {"scan.pdf": b"%PDF-1.7\n", "notes.txt": b"Notes\nAsk Ann about owners\n", "servers.csv": SERVERS}
    (table,) = read(tmp_path, zip_of(entries))
    assert table.file_name == "inventory.zip/servers.csv"
    assert sorted((problem.code, problem.file_name) for problem in table.problems) == [
        ("sheet_not_read", "inventory.zip/notes.txt"),
        ("sheet_not_read", "inventory.zip/scan.pdf"),
    ]


def test_a_bad_entry_is_refused_by_name_and_place(tmp_path: Path) -> None:
    entries = {"servers.csv": SERVERS, "plan/latin.csv": b"\xef\xbb\xbfHostname,Owner\nweb01,Ann\nweb02,J\xfcrgen\n"}
    problem = refused(tmp_path, zip_of(entries))
    assert (problem.code, problem.file_name, problem.row) == ("unreadable_encoding", "inventory.zip/plan/latin.csv", 3)


def test_an_archive_without_tables_says_why(tmp_path: Path) -> None:
    problem = refused(tmp_path, zip_of({"scan.pdf": b"%PDF-1.7\n", "empty.csv": b""}))
    assert (problem.code, problem.file_name) == ("not_a_table", "inventory.zip/scan.pdf")
    assert refused(tmp_path, zip_of({})).code == "empty_file"
    assert refused(tmp_path, zip_of({"folder/": b""})).code == "empty_file"


def test_damage_is_refused(tmp_path: Path) -> None:
    whole = zip_of({"servers.csv": SERVERS * 100})
    assert refused(tmp_path, whole[:-30]).code == "broken_archive"
    flipped = whole[:60] + bytes(byte ^ 0xFF for byte in whole[60:70]) + whole[70:]
    problem = refused(tmp_path, flipped)
    assert (problem.code, problem.file_name) == ("broken_archive", "inventory.zip/servers.csv")
    packed = gzip.compress(SERVERS * 100, mtime=0)
    assert refused(tmp_path, packed[:-10]).code == "broken_archive"
    assert refused(tmp_path, packed[:20] + b"\0\0\0\0" + packed[24:]).code == "broken_archive"


def test_an_entry_that_understates_its_size_is_refused(tmp_path: Path) -> None:
    whole = zip_of({"servers.csv": SERVERS * 100})
    size = (len(SERVERS) * 100).to_bytes(4, "little")
    assert whole.count(size) == 2
    problem = refused(tmp_path, whole.replace(size, (len(SERVERS) * 50).to_bytes(4, "little")))
    assert (problem.code, problem.file_name) == ("broken_archive", "inventory.zip/servers.csv")


def test_a_protected_entry_is_refused_by_name(tmp_path: Path) -> None:
    whole = bytearray(zip_of({"servers.csv": SERVERS}))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        whole[whole.index(signature) + offset] |= 1
    problem = refused(tmp_path, bytes(whole))
    assert (problem.code, problem.file_name) == ("encrypted_archive", "inventory.zip/servers.csv")
    assert "password" in problem.detail


def test_a_bomb_is_refused_by_what_it_unpacks_to(tmp_path: Path) -> None:
    entries = {"servers.csv": SERVERS, "bomb.csv": SERVERS * 1_000}
    problem = refused(tmp_path, zip_of(entries), ReadLimits(max_unpacked_bytes=10_000))
    assert (problem.code, problem.file_name) == ("unpacks_too_large", "inventory.zip/bomb.csv")
    tight = zip_of({"bomb.csv": b"a,b\n" + b",\n" * 40_000_000})
    assert refused(tmp_path, tight).code == "unpacks_too_large"


def test_many_small_entries_count_together(tmp_path: Path) -> None:
    entries = {f"{number}.csv": SERVERS for number in range(20)}
    assert refused(tmp_path, zip_of(entries), ReadLimits(max_entries=19)).code == "too_many_entries"
    problem = refused(tmp_path, zip_of(entries), ReadLimits(max_rows=10))
    assert (problem.code, problem.file_name) == ("too_many_rows", "inventory.zip/5.csv")
    assert refused(tmp_path, zip_of(entries), ReadLimits(max_unpacked_bytes=300)).code == "unpacks_too_large"


def test_entries_of_archives_inside_an_archive_count_with_the_others(tmp_path: Path) -> None:
    inner = zip_of({f"{number}.csv": SERVERS for number in range(10)})
    problem = refused(tmp_path, zip_of({"a.zip": inner, "b.zip": inner}), ReadLimits(max_entries=15))
    assert (problem.code, problem.file_name) == ("too_many_entries", "inventory.zip/b.zip")


def test_archives_inside_each_other_end_somewhere(tmp_path: Path) -> None:
    content = SERVERS
    for _ in range(3):
        content = zip_of({"in.zip": content})
    assert read(tmp_path, content)[0].file_name == "inventory.zip/in.zip/in.zip/in.zip"
    problem = refused(tmp_path, zip_of({"in.zip": content}))
    assert (problem.code, problem.file_name) == ("nested_too_deep", "inventory.zip/in.zip/in.zip/in.zip")


def test_the_name_of_an_entry_cannot_forge_a_message(tmp_path: Path) -> None:
    (table,) = read(tmp_path, zip_of({"../../etc/a\r\nb\x1b[31m.csv": SERVERS}))
    assert table.file_name == "inventory.zip/../../etc/a��b�[31m.csv"
