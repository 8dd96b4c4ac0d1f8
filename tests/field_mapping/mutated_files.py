"""Files of every kind that is read, and what can happen to them on their way; all by seed."""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable

import polars as pl
import xlsxwriter

from tests.field_mapping.workbook_files import Broken, Sheet, ods, xlsb

Row = list[str]
HEADER = ["Hostname", "IP Address", "Memory (GB)", "Operating System", "Environment"]
_SYSTEMS = ["Windows Server 2019", "RHEL 8.6", "Ubuntu 22.04 LTS", "AIX 7.2", "", "n/a", "#REF!"]


def servers(dice: random.Random, count: int = 30) -> list[Row]:
    """Rows of an inventory with the dirt that real ones have."""
    return [
        [
            f"srv{dice.randrange(1000):03}" if dice.random() > 0.05 else "",
            f"[10.0.{dice.randrange(256)}.{dice.randrange(256)},fe80::1];" if dice.random() > 0.2 else "-1",
            dice.choice(["16", "8 GB", "1.024,5", "32768 MB", "-1", ""]),
            dice.choice(_SYSTEMS),
            dice.choice(["PROD", "Test", "Entwicklung", "", "N/A"]),
        ]
        for _ in range(count)
    ]


def _csv(dice: random.Random) -> bytes:
    delimiter = dice.choice(";\t|~")
    lines = [delimiter.join(f'"{cell}"' if dice.random() < 0.2 else cell for cell in row) for row in servers(dice)]
    text = "\r\n".join(["Inventory of everything", "", delimiter.join(HEADER), *lines, f"Total{delimiter}{len(lines)}"])
    return text.encode(dice.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]))


def in_columns(rows: list[Row]) -> bytes:
    """The rows as a console prints them, each column as wide as its longest cell."""
    widths = [max((len(row[at]) for row in rows if at < len(row)), default=0) for at in range(max(map(len, rows)))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in rows]
    return "\n".join(lines).encode()


def _columns(dice: random.Random) -> bytes:
    return in_columns([HEADER, *servers(dice)])


def _sheet(book: xlsxwriter.Workbook, name: str, rows: list[Row]) -> None:
    sheet = book.add_worksheet(name)
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)


def _xlsx(dice: random.Random) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        _sheet(book, "Servers", [["Estate"], [], HEADER, *servers(dice)])
        _sheet(book, "More", [HEADER, *servers(dice, 5)])
    return content.getvalue()


def _sheets(dice: random.Random) -> dict[str, Sheet]:
    rows = [[Broken(cell) if cell == "#REF!" else cell for cell in row] for row in servers(dice)]
    return {"Servers": [["Estate"], [], HEADER, *rows], "More": [HEADER, *servers(dice, 5)]}


def _ods(dice: random.Random) -> bytes:
    return ods(_sheets(dice))


def _xlsb(dice: random.Random) -> bytes:
    return xlsb(_sheets(dice))


def _rvtools(dice: random.Random) -> bytes:
    names = [f"vm{dice.randrange(20)}" for _ in range(15)]
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        _sheet(book, "vInfo", [["VM", "CPUs", "Memory"], *[[name, "2", "4096"] for name in names]])
        disks = [[f"vm{dice.randrange(25)}", "Hard disk 1", str(dice.randrange(99999))] for _ in range(30)]
        _sheet(book, "vDisk", [["VM", "Disk", "Capacity MiB"], *disks])
        _sheet(book, "vHealth", [["Name", "Message"], ["vm1", "Zombie"]])
    return content.getvalue()


def _records(dice: random.Random) -> list[dict[str, object]]:
    return [
        {**dict(zip(HEADER, row, strict=True)), "tags": row[:2], "os": {"name": row[3], "bits": 64}, "up": True}
        for row in servers(dice)
    ]


def _json(dice: random.Random) -> bytes:
    return json.dumps(
        {"generated": "today", "servers": _records(dice), "total": 30}, indent=dice.choice([None, 2])
    ).encode()


def _json_lines(dice: random.Random) -> bytes:
    return "\n".join(json.dumps(record) for record in _records(dice)).encode()


def _parquet(dice: random.Random) -> bytes:
    content = io.BytesIO()
    pl.DataFrame(_records(dice)).write_parquet(content, compression=dice.choice(["zstd", "snappy", "uncompressed"]))
    return content.getvalue()


def _konveyor(dice: random.Random) -> bytes:
    lines = ["Record Type 1,Application Name,Description,Dependency,Dependency Direction"]
    for number in range(12):
        lines.append(f"1,App {number},Does {number},,")
        lines.append(f"2,App {number},,App {dice.randrange(12)},{dice.choice(['southbound', 'northbound', '', 'x'])}")
    return "\n".join(lines).encode()


def _connections(dice: random.Random) -> bytes:
    lines = ["Source server name,Destination server name,Destination port"]
    lines += [f"srv{dice.randrange(9)},srv{dice.randrange(9)},{dice.randrange(70000)}" for _ in range(30)]
    return "\n".join(lines).encode()


def _zip(dice: random.Random) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, make in enumerate([_csv, _xlsx, _json, _parquet, _konveyor]):
            archive.writestr(f"data/{number}", make(dice))
        archive.writestr("read me.txt", "Ask Ann.\nOr Bob.\n")
    return content.getvalue()


def _gzip(dice: random.Random) -> bytes:
    return gzip.compress(_csv(dice), mtime=0)


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "csv": _csv,
    "columns": _columns,
    "xlsx": _xlsx,
    "ods": _ods,
    "xlsb": _xlsb,
    "rvtools": _rvtools,
    "json": _json,
    "json lines": _json_lines,
    "parquet": _parquet,
    "applications": _konveyor,
    "connections": _connections,
    "zip": _zip,
    "gzip": _gzip,
}

_TOKENS = [
    *(
        b'"',
        b"'",
        b"\\",
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b",",
        b";",
        b"\t",
        b"\xff",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\x1a",
    ),
    *(b"{", b"}", b"[", b"]", b'{"', b'":', b"null", b"1e999", b"\\ud800", b"PK\x03\x04", b"PK\x05\x06", b"PAR1"),
    *(b"\x1f\x8b\x08", b"</row>", b"<c r=", b"#REF!", b"-1", b"Total", b"99999999999999999999", b"," * 50, b"[" * 200),
]


def mutated(content: bytes, dice: random.Random) -> bytes:
    """The content after one to four accidents."""
    data = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        length = dice.choice([1, 1, 2, 4, 16, 64, 512])
        match dice.randrange(8):
            case 0:
                data[at : at + length] = dice.randbytes(length)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at:at] = dice.choice(_TOKENS)
            case 4:
                data[at : at + length] = bytes(length)
            case 5 if at:
                del data[at:]
            case 6 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case _:
                other = dice.randrange(len(data) + 1)
                data[at : at + length] = data[other : other + length]
    return bytes(data)


def mutated_inside(content: bytes, dice: random.Random) -> bytes:
    """An archive or workbook of which one entry had accidents before it was packed."""
    if content.startswith(b"\x1f\x8b"):
        return gzip.compress(mutated(gzip.decompress(content), dice), mtime=0)
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        unlucky = dice.choice([name for name in old.namelist() if name != "read me.txt"])
        for name in old.namelist():
            new.writestr(name, mutated(old.read(name), dice) if name == unlucky else old.read(name))
    return result.getvalue()


def mutated_file(seed: int) -> tuple[str, bytes]:
    """The kind of the file with this seed, and its bytes."""
    dice = random.Random(seed)
    kind = dice.choice(list(KINDS))
    content = KINDS[kind](dice)
    packed = content.startswith((b"PK", b"\x1f\x8b"))
    return kind, (mutated_inside if packed and dice.random() < 0.7 else mutated)(content, dice)
