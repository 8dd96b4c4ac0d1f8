"""Which source a table comes from: recognised by its header, whatever its file's name and its columns' order."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from uuid import NAMESPACE_OID, UUID, uuid5

from contracts.discovery import ColumnProfile, RecognisedSource, TableProfile
from services.field_mapping.drift import drift_of
from services.field_mapping.taught import column_key

# The share of the longer header's columns that the other one has too, from which on both are versions of one source's.
SAME_SOURCE = 0.5
# Fewer columns in common may be there by chance: every list has a name and a status.
FEWEST_COMMON = 3

_WORKBOOKS = frozenset({"xlsx", "xlsm", "xlsb", "xls", "ods"})
_TEXTS = frozenset({"csv", "tsv", "txt", "tab", "psv", "dat"})
_PACKED = re.compile(r"\.(gz|zip)$", re.IGNORECASE)
# What changes from one export to the next: dates, times, counters, versions, "copy", "final".
_PASSING = re.compile(r"(?i)\b(v?\d+|copy|kopie|final|new|neu|export|latest)\b")


@dataclass(frozen=True, slots=True)
class KnownHeader:
    """One version of the header of a source that was imported before."""

    mapping_id: UUID
    source_id: UUID
    source_name: str
    kind: str
    family: str
    columns: Sequence[ColumnProfile]

    @property
    def keys(self) -> frozenset[str]:
        """The columns' names in their normal form."""
        return header_keys(column.name for column in self.columns)


def recognise(table: TableProfile, known: Iterable[KnownHeader]) -> RecognisedSource:
    """The source whose header this is, or of which it is most likely a new version; else a new source.

    A version is of the same kind of table and file, and has at least half of its columns. Of several the most
    similar one counts, of equals the one known longest, that is with the smallest id.
    """
    family, keys = file_family(table.file_name, table.sheet), header_keys(column.name for column in table.columns)
    mapping_id = mapping_id_of(table.kind, family, keys)
    alike = [header for header in known if (header.kind, header.family) == (table.kind, family)]
    same = next((header for header in alike if header.mapping_id == mapping_id), None)
    if same is not None:
        return RecognisedSource(source_id=same.source_id, name=same.source_name, known=True)
    versions = sorted(
        (header for header in alike if is_version(keys, header.keys)),
        key=lambda header: (-_share(keys, header.keys), header.mapping_id),
    )
    if not versions:
        return RecognisedSource(source_id=mapping_id, name=source_name(table.file_name, table.sheet), known=False)
    before = versions[0]
    drift = drift_of(before.columns, table.columns)
    return RecognisedSource(source_id=before.source_id, name=before.source_name, known=True, drift=drift)


def header_keys(columns: Iterable[str]) -> frozenset[str]:
    """The normal forms of a header's columns, without their order."""
    return frozenset(column_key(column) for column in columns)


def mapping_id_of(kind: str, family: str, keys: Iterable[str]) -> UUID:
    """The fingerprint of a header: the same for the same columns in any order, in the same kind of table and file."""
    text = "\x1e".join([kind, family, *sorted(keys)])
    return uuid5(NAMESPACE_OID, hashlib.sha256(text.encode()).hexdigest())


def is_version(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two headers are so similar that one source has both."""
    return len(one & other) >= FEWEST_COMMON and _share(one, other) >= SAME_SOURCE


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / (max(len(one), len(other)) or 1)


def file_family(file_name: str, sheet: str | None) -> str:
    """What kind of file it is, and which sheet of it: 'text', 'workbook/vinfo', 'json'."""
    suffix = PurePath(_PACKED.sub("", file_name)).suffix.lower().lstrip(".")
    kind = "workbook" if suffix in _WORKBOOKS else "text" if suffix in _TEXTS or not suffix else suffix
    return f"{kind}/{column_key(sheet)}" if sheet else kind


def source_name(file_name: str, sheet: str | None) -> str:
    """What to call a new source: its file's name without what changes from one export to the next, and its sheet."""
    stem = PurePath(_PACKED.sub("", file_name)).stem
    words = _PASSING.sub(" ", re.sub(r"[^\w]+|_+", " ", stem)).split()
    name = " ".join(words) or stem
    return (f"{name} / {sheet}" if sheet else name)[:200]
