"""The check of an export: no server, no database, nothing but the file and what the auditor kept."""

import itertools
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import orjson

from contracts.envelope import Tenant
from services.audit.checking import Finding, LogCheck, Row
from services.audit.notes import VerifierKey, origin_of, stated_size

LOG, ENTRIES, CHECKPOINTS, KEYS = "log.json", "entries.ndjson", "checkpoints.ndjson", "keys.txt"
NEWEST, README = "checkpoint.txt", "README.txt"
PIECE_ROWS = 1_000
README_TEXT = """\
An export of the audit log of one engagement.

  entries.ndjson      every entry in order: its number, its hash, and the event exactly as it was heard (record)
  checkpoints.ndjson  every signed checkpoint, by the number of entries that it covers
  checkpoint.txt      the newest one alone
  keys.txt            the public keys; trust those that you got another way and kept
  log.json            whose log it is

Check it without a server:  modernize audit verify THIS.zip --key KEYS.txt

Without our software: the hash of an entry is SHA-256 over the hash of the one before, its number in decimal and the
record, joined by newlines, in hex; before the first stands SHA-256 of "audit:CLIENT_ACCOUNT_ID:ENGAGEMENT_ID". A
checkpoint is a signed note (c2sp.org/tlog-checkpoint); its tree is that of RFC 6962, section 2.1, over the hashes of
the entries, 32 bytes each.
"""


class NotAnExport(Exception):
    """The file is no export of an audit log, or is damaged so that it cannot be read."""


def tenant_of(path: Path) -> Tenant:
    """Whose log an export says it is; raises `NotAnExport`."""
    with _opened(path) as archive:
        return _tenant(archive)


def verified(path: Path, keys: Sequence[VerifierKey], kept: Sequence[str] = ()) -> Finding:
    """Check an export against public keys, and against checkpoints that were kept; raises `NotAnExport`.

    An entry that is not there, cannot be read or does not fit is a finding.
    """
    with _opened(path) as archive:
        tenant = _tenant(archive)
        check = LogCheck(tenant, [key for key in keys if key.name == origin_of(tenant)])
        with _member(archive, CHECKPOINTS) as notes, _member(archive, ENTRIES) as lines:
            listed = _objects(notes, CHECKPOINTS, {"size": int, "previous_size": int, "note": str})
            expected = _Expected(listed, kept)
            rows = _rows(lines)
            while piece := list(itertools.islice(rows, PIECE_ROWS)):
                expected.up_to(piece[-1][0], check)
                check.check(piece)
                if check.broken:
                    return check.result()
            expected.up_to(None, check)
            check.signed_to_the_end()
        return check.result()


class _Expected:
    """An export's own checkpoints and those that were kept, in the order of their sizes."""

    def __init__(self, listed: Iterator[list[Any]], kept: Sequence[str]) -> None:
        self._listed = listed
        self._following = next(listed, None)
        self._kept = deque(sorted(kept, key=stated_size))

    def up_to(self, size: int | None, check: LogCheck) -> None:
        """Hold the log to those of up to `size` entries, or to all that are left."""
        while self._following is not None and (size is None or self._following[0] <= size):
            listed_size, previous_size, note = self._following
            self._kept_up_to(listed_size, check)
            check.expect(note, listed_size, previous_size)
            self._following = next(self._listed, None)
        self._kept_up_to(size, check)

    def _kept_up_to(self, size: int | None, check: LogCheck) -> None:
        while self._kept and (size is None or stated_size(self._kept[0]) <= size):
            check.expect(self._kept.popleft())


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise NotAnExport(f"{path} cannot be read as a ZIP file: {error}.") from error


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        return archive.open(name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise NotAnExport(f"{archive.filename} has no readable {name}, so it is no export of an audit log.") from error


def _tenant(archive: zipfile.ZipFile) -> Tenant:
    with _member(archive, LOG) as file:
        try:
            log = orjson.loads(file.read())
            ids = {name: UUID(log[name]) for name in ("client_account_id", "engagement_id")}
        except (KeyError, TypeError, ValueError) as error:
            raise NotAnExport(f"{archive.filename} does not say whose log it is.") from error
    return Tenant(**ids)


def _objects(lines: IO[bytes], name: str, types: Mapping[str, type]) -> Iterator[list[Any]]:
    """The values of these names in each line of JSON."""
    number = 0
    try:
        for line in lines:
            number += 1
            found = orjson.loads(line)
            values = [found[field] for field in types]
            if any(type(value) is not kind for value, kind in zip(values, types.values(), strict=True)):
                raise TypeError(f"{', '.join(types)} are needed")
            yield values
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise NotAnExport(f"Line {number} of {name} cannot be read ({type(error).__name__}: {error}).") from error


def _rows(lines: IO[bytes]) -> Iterator[Row]:
    for seq, record, digest in _objects(lines, ENTRIES, {"seq": int, "record": str, "hash": str}):
        yield seq, record.encode(), digest.encode(), None
