"""What cannot be read is refused with a stable code, the place, and what to do."""

import io
import tracemalloc
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import xlsxwriter

from contracts.envelope import Problem
from services.field_mapping.reading import FileRejected, ReadLimits, read_tables


def refused(folder: Path, content: bytes, limits: ReadLimits | None = None) -> Problem:
    path = folder / "stored"
    path.write_bytes(content)
    with pytest.raises(FileRejected) as caught:
        read_tables(path, "export.csv", limits or ReadLimits())
    assert caught.value.problem.file_name == "export.csv"
    return caught.value.problem


def zip_of(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        for name in names:
            package.writestr(name, "x")
    return content.getvalue()


def workbook_of(*rows: Sequence[object], sheet: str = "Servers") -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as workbook:
        worksheet = workbook.add_worksheet(sheet)
        for number, row in enumerate(rows):
            worksheet.write_row(number, 0, row)
    return content.getvalue()


def with_part(workbook: bytes, name: str, content: bytes) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, content if entry.filename == name else old.read(entry))
        if name not in old.namelist():
            new.writestr(name, content)
    return result.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"\n\n \r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xef\xbb\xbf\r\n", b" " * 400_000]
)
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content).code == "empty_file"


@pytest.mark.parametrize(
    "content", [b"name,owner", b"name,owner\n", b"name;owner\r\n\r\n;\r\n", b"Title\n\nname,owner\n,\n"]
)
def test_a_header_without_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content).code == "no_rows"


@pytest.mark.parametrize(
    "content",
    [
        b"1,2,3\n4,5,6\n",
        b"web01,10.0.0.1,linux,16\ndb01,10.0.0.2,linux,32\n",
        b"2024-01-02;12,5;3\n2024-01-03;13,5;4\n",
        b"10.0.0.1\n10.0.0.2\n",
        b"Inventory,,\n\n16,32,64\n1,2,3\n",
    ],
)
def test_rows_without_a_header_are_refused(tmp_path: Path, content: bytes) -> None:
    problem = refused(tmp_path, content)
    assert problem.code == "no_header"
    assert "header" in problem.detail


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), "ELF"),
        (b"BZh91AY&SY" + bytes(40), "bzip2"),
        (bytes(257) + b"ustar\x0000", "tar"),
        (zip_of("word/document.xml"), "Word"),
        (zip_of("META-INF/manifest.xml"), "OpenDocument"),
        (b"PARE" + bytes(40), "encrypted Parquet"),
        (b"SQLite format 3\0" + bytes(40), "SQLite"),
        (b"<!DOCTYPE html><html><table></table></html>", "HTML"),
        (b'<?xml version="1.0"?><servers/>', "XML"),
        (b'[["name", "owner"], ["web01", "Ann"]]', "JSON list of lists"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Office document"),
        (bytes(range(256)) * 8, "binary"),
    ],
)
def test_other_formats_are_refused_by_name(tmp_path: Path, content: bytes, name: str) -> None:
    problem = refused(tmp_path, content)
    assert problem.code == "not_a_table"
    assert name in problem.detail


def test_a_protected_workbook_is_refused(tmp_path: Path) -> None:
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    problem = refused(tmp_path, content)
    assert problem.code == "encrypted_workbook"
    assert "password" in problem.detail


def test_a_truncated_workbook_is_refused(tmp_path: Path) -> None:
    whole = workbook_of(["name", "owner"], ["web01", "Ann"])
    assert refused(tmp_path, whole[: len(whole) // 2]).code == "broken_workbook"


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/_rels/workbook.xml.rels"])
def test_a_workbook_with_a_damaged_part_is_refused(tmp_path: Path, part: str) -> None:
    whole = workbook_of(["name", "owner"], ["web01", "Ann"])
    assert refused(tmp_path, with_part(whole, part, b"<a><b")).code == "broken_workbook"


def test_a_workbook_with_flipped_bytes_is_refused(tmp_path: Path) -> None:
    whole = bytearray(workbook_of(["name", "owner"], *[[f"web{number}", "Ann"] for number in range(500)]))
    with zipfile.ZipFile(io.BytesIO(whole)) as package:
        at = package.getinfo("xl/worksheets/sheet1.xml").header_offset + 400
    whole[at : at + 20] = bytes(20)
    assert refused(tmp_path, bytes(whole)).code == "broken_workbook"


def test_two_million_columns_are_refused_from_the_first_bytes(tmp_path: Path) -> None:
    content = ",".join(f"c{number}" for number in range(2_000_000)).encode()
    tracemalloc.start()
    problem = refused(tmp_path, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (problem.code, problem.row) == ("too_many_columns", 1)
    assert peak < 16 * 1024**2


def test_a_wide_header_in_utf_16_is_refused(tmp_path: Path) -> None:
    content = (";".join(f"c{number}" for number in range(5_000)) + "\n").encode("utf-16")
    assert refused(tmp_path, content).code == "too_many_columns"


def test_a_wide_row_further_down_is_refused_with_its_row(tmp_path: Path) -> None:
    content = b"name,owner\nweb01,Ann\nweb02" + b",x" * 3_000 + b"\n"
    problem = refused(tmp_path, content)
    assert (problem.code, problem.row) == ("too_many_columns", 3)


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    content = b"name,owner\n" + b"web01,Ann\n" * 51
    problem = refused(tmp_path, content, ReadLimits(max_rows=50))
    assert (problem.code, problem.row) == ("too_many_rows", 52)


def test_as_many_rows_as_allowed_are_read(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(b"name,owner\n" + b"web01,Ann\n" * 50)
    assert read_tables(path, "export.csv", ReadLimits(max_rows=50))[0].frame.height == 50


def test_few_short_rows_below_a_wide_header_are_refused_before_they_fill_memory(tmp_path: Path) -> None:
    header = ",".join(f"c{number}" for number in range(1_900)).encode()
    for rows in (b"a\n" * 200_000, b'"a"x\n' * 200_000):
        assert refused(tmp_path, header + b"\n" + rows).code == "table_too_large"


def test_a_row_of_millions_of_empty_cells_costs_no_column_each(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(b"name,owner\nweb01,Ann\n" + b"," * 3_000_000 + b"\ndb01,Bob\n")
    (table,) = read_tables(path, "export.csv")
    assert table.frame.rows() == [(2, "web01", "Ann"), (4, "db01", "Bob")]


def test_a_cell_beyond_the_limit_is_refused_with_row_and_column(tmp_path: Path) -> None:
    content = b"name,owner\nweb01,Ann\nweb02," + b"x" * 300 + b"\n"
    problem = refused(tmp_path, content, ReadLimits(max_cell_chars=299))
    assert (problem.code, problem.row, problem.column) == ("cell_too_long", 3, "owner")


def test_a_long_cell_among_uneven_rows_is_refused_with_its_row(tmp_path: Path) -> None:
    content = b"name,owner\nweb01,Ann,surplus\nweb02," + b"x" * 200_000 + b"\n"
    problem = refused(tmp_path, content)
    assert (problem.code, problem.row) == ("cell_too_long", 3)


def test_a_quote_that_is_never_closed_is_refused_with_its_row(tmp_path: Path) -> None:
    problem = refused(tmp_path, b'name,owner\nweb01,Ann\nweb02,"Bob\nweb03,Cat\n')
    assert (problem.code, problem.row) == ("unclosed_quote", 3)


def test_a_workbook_without_values_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, workbook_of()).code == "empty_file"


def test_a_workbook_with_a_header_only_is_refused(tmp_path: Path) -> None:
    problem = refused(tmp_path, workbook_of(["name", "owner"]))
    assert problem.code == "no_rows"
    assert "Servers" in problem.detail


def test_a_workbook_without_a_header_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, workbook_of([1, 2, 3], [4, 5, 6])).code == "no_header"


def test_a_package_that_declares_too_much_is_refused(tmp_path: Path) -> None:
    whole = with_part(workbook_of(["name"], ["web01"]), "xl/media/zeros.bin", bytes(5_000_000))
    assert refused(tmp_path, whole, ReadLimits(max_unpacked_bytes=4_000_000)).code == "unpacks_too_large"


def test_a_package_packed_far_too_tightly_is_refused(tmp_path: Path) -> None:
    whole = with_part(workbook_of(["name"], ["web01"]), "xl/media/zeros.bin", bytes(80_000_000))
    assert refused(tmp_path, whole).code == "unpacks_too_large"


def test_a_package_that_understates_its_sizes_is_refused(tmp_path: Path) -> None:
    whole = with_part(workbook_of(["name"], ["web01"]), "xl/media/zeros.bin", bytes(5_000_000))
    size = (5_000_000).to_bytes(4, "little")
    assert whole.count(size) == 2
    lying = whole.replace(size, (500).to_bytes(4, "little"))
    assert refused(tmp_path, lying, ReadLimits(max_unpacked_bytes=4_000_000)).code == "unpacks_too_large"


def test_a_stray_cell_far_out_is_refused_before_the_grid_is_built(tmp_path: Path) -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as workbook:
        worksheet = workbook.add_worksheet("Servers")
        worksheet.write_row(0, 0, ["name", "owner"])
        worksheet.write(1_048_575, 700, "x")
    problem = refused(tmp_path, content.getvalue())
    assert (problem.code, problem.row, problem.column) == ("sheet_too_large", 1_048_576, "column 701")


def test_a_stray_cell_beyond_the_last_column_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as workbook:
        worksheet = workbook.add_worksheet("Servers")
        worksheet.write_row(0, 0, ["name", "owner"])
        worksheet.write(3, 16_383, "x")
    assert refused(tmp_path, content.getvalue()).code == "too_many_columns"


@pytest.mark.parametrize("encoding", ["UTTF-8", "shift_jis"])
def test_a_workbook_in_an_encoding_that_xml_does_not_have_is_refused(tmp_path: Path, encoding: str) -> None:
    whole = workbook_of(["name", "owner"], ["web01", "Ann"])
    content = f'<?xml version="1.0" encoding="{encoding}"?><workbook/>'.encode()
    assert refused(tmp_path, with_part(whole, "xl/workbook.xml", content)).code == "broken_workbook"
