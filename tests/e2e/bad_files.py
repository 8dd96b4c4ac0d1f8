"""Files that no inventory can be made of, each with the problem that it must give."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import xlsxwriter


@dataclass(frozen=True)
class BadFile:
    """What is uploaded under which name, and the code, the row and a word of the problem."""

    name: str
    content: Callable[[], bytes]
    code: str
    row: int | None
    says: str


def _workbook() -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as workbook:
        sheet = workbook.add_worksheet("Servers")
        sheet.write_row(0, 0, ["Hostname", "IP Address"])
        sheet.write_row(1, 0, ["web01", "10.0.0.1"])
    return content.getvalue()


def _zip_bomb() -> bytes:
    content = io.BytesIO(_workbook())
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as package, package.open("xl/media/a.bin", "w") as part:
        for _ in range(200):
            part.write(bytes(1_000_000))
    return content.getvalue()


def _archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("servers.csv", "Hostname,IP Address\nweb01,10.0.0.1\n")
        archive.writestr("latin.csv", b"\xef\xbb\xbfHostname,Owner\nweb01,Ann\nweb02,J\xfcrgen\n")
    return content.getvalue()


def _broken_workbook() -> bytes:
    whole = _workbook()
    return whole[: len(whole) // 2]


def _two_million_columns() -> bytes:
    header = ",".join(f"c{number}" for number in range(2_000_000))
    return f"{header}\n{',' * 1_999_999}\n".encode()


def _fixed(content: bytes) -> Callable[[], bytes]:
    return lambda: content


_NO_IDENTITY = (
    b"Environment,Operating System,Memory (GB),CPU Cores\nProduction,Ubuntu 22.04,16,4\nTest,Ubuntu 22.04,8,2\n"
)

BAD_FILES = [
    BadFile("blank.csv", _fixed(b"\r\n \r\n\r\n"), "empty_file", None, "is empty"),
    BadFile("header.csv", _fixed(b"Hostname,IP Address,Environment\n"), "no_rows", 1, "no rows below it"),
    BadFile("values.csv", _fixed(b"web01,10.0.0.1,16\nweb02,10.0.0.2,32\n"), "no_header", 1, "header row"),
    BadFile("plan.pdf", _fixed(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n"), "not_a_table", None, "PDF"),
    BadFile("tool.csv", _fixed(b"\x7fELF\x02\x01\x01" + bytes(200)), "not_a_table", None, "program"),
    BadFile("rack.csv", _fixed(b"\x89PNG\r\n\x1a\n" + bytes(range(256))), "not_a_table", None, "PNG"),
    BadFile(
        "latin.csv",
        _fixed(b"\xef\xbb\xbfHostname,Owner\nweb01,Ann\nweb02,J\xfcrgen\n"),
        "unreadable_encoding",
        3,
        "0xFC",
    ),
    BadFile("wide.csv", _two_million_columns, "too_many_columns", 1, "2,000"),
    BadFile("bomb.xlsx", _zip_bomb, "unpacks_too_large", None, "packed far tighter"),
    BadFile("half.xlsx", _broken_workbook, "broken_workbook", None, "damaged"),
    BadFile("bundle.zip", _archive, "unreadable_encoding", 3, "0xFC"),
    BadFile("cut.json", _fixed(b'[{"Hostname": "web01"}, {"Host'), "broken_json", None, "cut off"),
    BadFile("lines.ndjson", _fixed(b'{"Hostname": "a"}\n{"Hostname"\n{}\n'), "broken_json", 2, "Line 2"),
    BadFile("half.parquet", _fixed(b"PAR1" + bytes(99)), "broken_parquet", None, "damaged"),
    BadFile("songs.csv", _fixed(b"Zorp,Blick\nqx,ab\nqy,cd\n"), "nothing_mapped", None, "header row"),
    BadFile("nameless.csv", _fixed(_NO_IDENTITY), "no_assets", 2, "Fill one of"),
    BadFile(
        "flows.csv",
        _fixed(b"Source IP,Destination IP,Destination port\n10.0.0.1,10.0.0.2,443\n10.0.0.3,10.0.0.2,443\n"),
        "no_assets",
        None,
        "connections",
    ),
]
