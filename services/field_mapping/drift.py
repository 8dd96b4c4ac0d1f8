"""How a header differs from the one before: columns that came, went, or have another name, each with the evidence."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from contracts.discovery import ColumnProfile, Drift
from services.field_mapping.taught import column_key

# How sure two names, sets of values or places must make that a column was renamed; see `_likeness`.
RENAMED = 0.5
_NAME, _VALUES, _PLACE = 0.6, 0.4, 0.2
# Yes and no are in many columns: this many different values have to be shared.
_TELLING_VALUES = 3


@dataclass(frozen=True, slots=True)
class _Pair:
    """A column that went and one that came, and how likely they are one."""

    likeness: float
    before: ColumnProfile
    after: ColumnProfile
    reason: str


def drift_of(before: Sequence[ColumnProfile], after: Sequence[ColumnProfile]) -> list[Drift]:
    """The differences between two headers; none where they have the same columns in another order.

    Renamed columns are paired by their names, sample values and places, the most alike first.
    """
    known, now = _by_key(before), _by_key(after)
    gone = [column for key, column in known.items() if key not in now]
    came = [column for key, column in now.items() if key not in known]
    pairs = sorted(
        (_likeness(old, new, before, after) for old in gone for new in came),
        key=lambda pair: (-pair.likeness, pair.before.name, pair.after.name),
    )
    renamed: list[_Pair] = []
    for pair in pairs:
        taken = {each.before.name for each in renamed} | {each.after.name for each in renamed}
        if pair.likeness >= RENAMED and not {pair.before.name, pair.after.name} & taken:
            renamed.append(pair)
    olds, news = {pair.before.name for pair in renamed}, {pair.after.name for pair in renamed}
    return [
        *(
            Drift(change="renamed", column=pair.after.name, was=pair.before.name, reason=pair.reason)
            for pair in renamed
        ),
        *(_added(column) for column in came if column.name not in news),
        *(_removed(column) for column in gone if column.name not in olds),
    ]


def renames(columns: Sequence[ColumnProfile], versions: Iterable[Sequence[ColumnProfile]]) -> list[Drift]:
    """What a header's columns are called in other versions of it, the most similar version first.

    Of all versions and not of the last alone: what was taught of a name counts in every import after it was changed.
    """
    now = _by_key(columns).keys()
    nearest = sorted(versions, key=lambda version: -len(now & _by_key(version).keys()))
    return [change for version in nearest for change in drift_of(version, columns) if change.change == "renamed"]


def _by_key(columns: Sequence[ColumnProfile]) -> dict[str, ColumnProfile]:
    return {column_key(column.name): column for column in columns}


def _added(column: ColumnProfile) -> Drift:
    return Drift(change="added", column=column.name, reason=f"“{column.name}” is new, with {_filled(column)}.")


def _removed(column: ColumnProfile) -> Drift:
    return Drift(change="removed", column=column.name, reason=f"“{column.name}” is gone; it had {_filled(column)}.")


def _filled(column: ColumnProfile) -> str:
    return f"{column.filled:,} filled {'cell' if column.filled == 1 else 'cells'}"


def _likeness(
    old: ColumnProfile, new: ColumnProfile, before: Sequence[ColumnProfile], after: Sequence[ColumnProfile]
) -> _Pair:
    """From 0 to 1.2: up to 0.6 for the names, 0.4 for the values and 0.2 for the same neighbours."""
    names = column_key(old.name), column_key(new.name)
    # "Disk 1" is not what "Disk 2" was.
    numbered = {tuple(re.findall(r"\d+", name)) for name in names}
    name = OSA.normalized_similarity(*names) if len(numbered) == 1 else 0.0
    shared = len(set(old.samples) & set(new.samples))
    fewer = min(len(set(old.samples)), len(set(new.samples)))
    values = shared / fewer if shared >= _TELLING_VALUES else 0.0
    place = _neighbours(old, before) == _neighbours(new, after)
    evidence = [
        *(["the names differ little"] if name >= 0.6 else []),
        *([f"{shared} of {fewer} sample values are the same"] if values else []),
        *(["it stands between the same columns"] if place else []),
    ]
    reason = f"“{old.name}” became “{new.name}”: {', '.join(evidence) or 'nothing else fits'}."
    return _Pair(_NAME * name + _VALUES * values + _PLACE * place, old, new, reason)


def _neighbours(column: ColumnProfile, columns: Sequence[ColumnProfile]) -> tuple[str | None, str | None]:
    keys = [column_key(each.name) for each in columns]
    place = keys.index(column_key(column.name))
    return (keys[place - 1] if place else None, keys[place + 1] if place + 1 < len(keys) else None)
