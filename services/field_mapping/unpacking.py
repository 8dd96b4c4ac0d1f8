"""Archives that hold tables: their entries as plain files, within what may be unpacked."""

import contextlib
import gzip
import zipfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Literal

from services.field_mapping.read_table import ReadLimits, reject

_CHUNK_BYTES = 1 << 20
# Tables and sheets of real exports shrink 5 to 60 times; DEFLATE cannot do better than 1,032.
MOST_SHRINKAGE = 200
SMALL_BYTES = 64 * 1024**2
_ENCRYPTED = 1
_LONGEST_NAME = 200
# What operating systems put beside the files that people meant to send.
_NOT_SENT = ("__macosx", "thumbs.db", "desktop.ini")
# What the standard library raises for an archive that is cut off, altered or packed in a way it does not know.
_DAMAGE = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError)


@dataclass
class Unpacking:
    """What may still be unpacked of one uploaded file, however its archives are nested."""

    limits: ReadLimits
    bytes_left: int = field(init=False)
    entries_left: int = field(init=False)
    nesting: int = 0

    def __post_init__(self) -> None:
        self.bytes_left = self.limits.max_unpacked_bytes
        self.entries_left = self.limits.max_entries

    @contextlib.contextmanager
    def deeper(self, file_name: str) -> Iterator[None]:
        """One archive further in; raises `FileRejected` with `nested_too_deep`."""
        if self.nesting >= self.limits.max_nesting:
            reject(
                "nested_too_deep",
                file_name,
                f"Here are more than {self.limits.max_nesting} archives inside each other, and no more are opened. "
                "Unpack them and upload the tables.",
            )
        self.nesting += 1
        try:
            yield
        finally:
            self.nesting -= 1

    def copy(self, source: IO[bytes] | gzip.GzipFile, packed_bytes: int, target: Path, file_name: str) -> None:
        """Write `source` to its real end, whatever size is declared for it.

        Raises `FileRejected` with `unpacks_too_large` or `broken_archive`.
        """
        most = max(SMALL_BYTES, packed_bytes * MOST_SHRINKAGE)
        with target.open("wb") as output:
            while chunk := _read(source, file_name):
                self.bytes_left -= len(chunk)
                if self.bytes_left < 0 or output.tell() + len(chunk) > most:
                    reject(
                        "unpacks_too_large",
                        file_name,
                        f"Unpacked, the upload is larger than the {self.limits.max_unpacked_bytes:,} bytes that can be "
                        "read, or it is packed far tighter than any real table. Upload fewer files at a time, and only "
                        "those that hold tables.",
                    )
                output.write(chunk)


def entries(
    path: Path, file_name: str, kind: Literal["zip", "gzip"], unpacking: Unpacking
) -> Generator[tuple[Path, str], None, None]:
    """Each entry of an archive as a file that lives until the next is asked for, with what people call it.

    The content of a gzip file goes by the name of the file itself. Raises `FileRejected` with `broken_archive`,
    `encrypted_archive`, `too_many_entries`, `nested_too_deep` or `unpacks_too_large`.
    """
    with unpacking.deeper(file_name), TemporaryDirectory(prefix="modernize-unpack-") as folder:
        target = Path(folder) / "entry"
        if kind == "gzip":
            with gzip.open(path) as content:
                unpacking.copy(content, path.stat().st_size, target, file_name)
            yield target, file_name
            return
        with _naming_damage(file_name):
            archive = zipfile.ZipFile(path)
        with archive:
            for entry in _sent(archive, file_name, unpacking):
                name = f"{file_name}/{_readable(entry.filename)}"
                if entry.flag_bits & _ENCRYPTED:
                    reject(
                        "encrypted_archive",
                        name,
                        "The entry is protected with a password, so it cannot be read. Pack it again without one.",
                    )
                with _naming_damage(name):
                    source = archive.open(entry)
                with source:
                    unpacking.copy(source, entry.compress_size, target, name)
                yield target, name


def _read(source: IO[bytes] | gzip.GzipFile, file_name: str) -> bytes:
    with _naming_damage(file_name):
        return source.read(_CHUNK_BYTES)


def _sent(archive: zipfile.ZipFile, file_name: str, unpacking: Unpacking) -> list[zipfile.ZipInfo]:
    found = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_noise(entry.filename)]
    unpacking.entries_left -= len(found)
    if unpacking.entries_left < 0:
        reject(
            "too_many_entries",
            file_name,
            f"The archive has {len(found):,} entries; at most {unpacking.limits.max_entries:,} are read of one upload. "
            "Pack only the files that hold tables.",
        )
    if not found:
        reject("empty_file", file_name, "The archive holds no files. Pack the tables again and upload that.")
    return found


def _is_noise(name: str) -> bool:
    parts = name.lower().split("/")
    return parts[-1].startswith(".") or any(part in _NOT_SENT for part in parts)


def _readable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in name)[-_LONGEST_NAME:]


@contextlib.contextmanager
def _naming_damage(file_name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        reject(
            "broken_archive",
            file_name,
            f"It is damaged, or packed in a way that cannot be read ({error}). Pack it again and upload that.",
        )
