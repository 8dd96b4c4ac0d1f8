"""Which kind of file the first bytes show, whatever its name says."""

import re
import zipfile
import zlib
from pathlib import Path
from typing import Literal, NoReturn

from services.field_mapping.read_table import reject

Kind = Literal["text", "json", "ndjson", "xlsx", "xlsb", "ods", "xls", "parquet", "zip", "gzip"]
HEAD_BYTES = 256 * 1024
TEXT_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

_KINDS: dict[bytes, Kind] = {b"\x1f\x8b": "gzip", b"PAR1": "parquet"}
# First bytes from the formats' own specifications; the registry is kept at IANA and in the `file` tool's magic data.
_SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "an ELF program"),
    (b"MZ", "a Windows program"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PARE", "an encrypted Parquet file"),
    (b"{\\rtf", "an RTF document"),
)
_TEXT_FORMATS = (
    (
        re.compile(rb"(?is)\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype html|<html|<table|<head|<meta)"),
        "an HTML page",
    ),
    (re.compile(rb"(?i)\s*<\?xml"), "an XML document"),
    (re.compile(rb"\s*\[\s*\["), "a JSON list of lists"),
)
_JSON = re.compile(rb'\s*(\{\s*"|\[\s*\{|\{\s*\}|\[\s*\]\s*$)')
# A line that is an object, and the beginning of another one below it.
_NDJSON = re.compile(rb"\s*\{[^\r\n]*\}[ \t]*\r?\n\s*\{")
_WORKBOOKS: dict[str, Kind] = {"xl/workbook.xml": "xlsx", "xl/workbook.bin": "xlsb"}
_ZIP_FORMATS = (
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a PowerPoint presentation"),
    ("META-INF/manifest.xml", "an OpenDocument file other than a spreadsheet"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
)
_ADVICE = "Upload the table itself as CSV, workbook (.xlsx, .ods), JSON or Parquet, or a ZIP archive of these."
_SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"
_LARGEST_MANIFEST = 1024**2
_TAR_MAGIC = slice(257, 262)
_UNPRINTABLE = bytes(b for b in range(32) if b not in b"\x01\t\n\v\f\r\x1a\x1b\x1c\x1d\x1e\x1f")


def detect_kind(path: Path, head: bytes, file_name: str) -> Kind:
    """The kind of table file whose first bytes are `head`.

    Raises `FileRejected` with `empty_file`, `not_a_table`, `encrypted_workbook`, `broken_workbook` or
    `broken_archive`.
    """
    if not head.strip(b" \t\r\n\x00\xef\xbb\xbf\xff\xfe\x1a") and path.stat().st_size <= HEAD_BYTES:
        reject("empty_file", file_name, "The file is empty. Export it again and upload the new file.")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(path, head, file_name)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _compound_kind(path, file_name)
    for signature, kind in _KINDS.items():
        if head.startswith(signature):
            return kind
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            _not_a_table(name, file_name)
    if head[_TAR_MAGIC] == b"ustar":
        _not_a_table("a tar archive", file_name)
    return _text_kind(head, file_name)


def _text_kind(head: bytes, file_name: str) -> Kind:
    marked = head.startswith(TEXT_BOMS) or zero_parity(head) is not None
    # Without the mark and the zero bytes of UTF-16, what tells formats apart reads like any other text.
    plain = head.lstrip(b"\xef\xbb\xbf\xff\xfe").replace(b"\0", b"") if marked else head
    for pattern, name in _TEXT_FORMATS:
        if pattern.match(plain):
            _not_a_table(name, file_name)
    if _JSON.match(plain):
        return "ndjson" if _NDJSON.match(plain) else "json"
    control = len(head) - len(head.translate(None, _UNPRINTABLE))
    # A few control bytes are dirt in a text; one byte in twenty is a binary format.
    if not marked and control > 4 and control * 20 > len(head):
        _not_a_table("binary data of an unknown format", file_name)
    return "text"


def zero_parity(head: bytes) -> int | None:
    """0 or 1 when mostly the even or odd bytes are zero, as in UTF-16 text of Western letters without a mark."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half < 2 or max(even, odd) < 0.4 * half or min(even, odd) > 0.05 * half:
        return None
    return 0 if even > odd else 1


def _zip_kind(path: Path, head: bytes, file_name: str) -> Kind:
    try:
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
            is_spreadsheet, has_password = _open_document(package)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, RuntimeError) as error:
        reject(
            "broken_workbook" if b"[Content_Types].xml" in head else "broken_archive",
            file_name,
            f"The file begins like a workbook or a ZIP archive, but it is damaged or incomplete ({error}). "
            "Upload it again; if that fails, open it, repair it and save it.",
        )
    names = {entry.filename for entry in entries}
    if is_spreadsheet:
        if has_password:
            _encrypted(file_name)
        return "ods"
    for workbook, kind in _WORKBOOKS.items():
        if workbook in names:
            if any(entry.flag_bits & 1 for entry in entries):
                _encrypted(file_name)
            return kind
    for name, format_name in _ZIP_FORMATS:
        if name in names:
            _not_a_table(format_name, file_name)
    return "zip"


def _open_document(package: zipfile.ZipFile) -> tuple[bool, bool]:
    """Whether it is an OpenDocument spreadsheet, and one with a password (OpenDocument 1.3 part 2, 3.3 and 3.4)."""
    names = set(package.namelist())
    if not {"mimetype", "META-INF/manifest.xml"} <= names:
        return False, False
    with package.open("mimetype") as entry:
        if entry.read(100).strip() != _SPREADSHEET:
            return False, False
    with package.open("META-INF/manifest.xml") as entry:
        return True, b"encryption-data" in entry.read(_LARGEST_MANIFEST)


def _compound_kind(path: Path, file_name: str) -> Kind:
    """Tell the formats of Microsoft's compound files apart by the stream names of their directories ([MS-CFB])."""
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        _encrypted(file_name)
    if any(name.encode("utf-16-le") + b"\0\0" in content for name in ("Workbook", "Book")):
        return "xls"
    return _not_a_table("a Microsoft Office document other than a workbook", file_name)


def _encrypted(file_name: str) -> NoReturn:
    reject(
        "encrypted_workbook",
        file_name,
        "The workbook is protected with a password, so it cannot be read. Save it without a password and upload that.",
    )


def _not_a_table(format_name: str, file_name: str) -> NoReturn:
    reject("not_a_table", file_name, f"The file is {format_name}, which cannot be read as a table. {_ADVICE}")
