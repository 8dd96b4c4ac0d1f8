"""From lessons to what counts for one table: what its own source was taught goes before what all files were."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from contracts.catalog import CATALOG, CONNECTION_FIELDS
from contracts.discovery import Drift
from contracts.learning import Lesson, Origin, OwnField
from services.field_mapping.column_names import read_name
from services.field_mapping.taught import Taught, Verdict, column_key

# What people decided for another source of theirs: enough to be accepted where the name says the same, not alone.
ELSEWHERE = 20.0
# A renamed column most likely means what it meant, and its new name and values have a say.
RENAMED = 20.0

_SAID = {
    "approval": "{by} confirmed it on {day}{where}.",
    "correction": "{by} corrected it on {day}{where}.",
    "feedback": "{by} said on {day}{where}: “{text}”.",
    "document": "{by} imported it on {day}{where}.",
}
_TAUGHT = "{by} taught it on {day}{where}."


@dataclass(frozen=True)
class Knowledge:
    """All that counts for one tenant: lessons in force, its own fields, and what its sources are called."""

    lessons: Sequence[Lesson] = ()
    own_fields: Sequence[OwnField] = ()
    source_names: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Said:
    """What was said of one column name in one scope."""

    settled: Lesson | None = None
    rejected: dict[str, Lesson] = field(default_factory=dict)
    unit: Lesson | None = None


def taught_for(
    kind: str, source_id: UUID, drift: Sequence[Drift], known: Knowledge, columns: Iterable[str] | None = None
) -> Taught:
    """What counts for a table of this kind from this source; fields that such a table cannot have are left out.

    `columns` are the table's, where only they are of interest.
    """
    fields = possible_fields(kind, known.own_fields)
    own, everywhere, elsewhere = _by_scope(known.lessons, source_id, fields)
    named = _own_names(known.own_fields, fields)
    keys = own.keys() | everywhere.keys() | elsewhere.keys() | named.keys()
    if columns is not None:
        keys &= {column_key(column) for column in (*columns, *(change.was or "" for change in drift))}
    verdicts: dict[str, Verdict] = {}
    for key in keys:
        verdict = _verdict(own.get(key), everywhere.get(key), elsewhere.get(key, []), known.source_names)
        verdict = _with_unit(verdict, own.get(key), everywhere.get(key), known.source_names)
        label = named.get(key)
        denied = label is not None and (label.field, 0.0) in verdict.odds
        verdicts[key] = verdict if label is None or verdict.settled or denied else label
    for change in drift:
        before = verdicts.get(column_key(change.was or ""))
        if change.change == "renamed" and before is not None:
            key = column_key(change.column)
            verdicts[key] = _renamed(verdicts.get(key, Verdict()), before, change)
    return Taught(verdicts)


def _renamed(own: Verdict, before: Verdict, change: Drift) -> Verdict:
    """What was taught of a column's name with what was of an older name of it, which is evidence and settles nothing.

    A unit that the new name states is the newer word.
    """
    verdict = own
    if not own.settled and (before.settled or before.odds):
        odds = dict(before.odds) | ({before.field: RENAMED} if before.field is not None else {})
        inherited = {field: odd or 1 / RENAMED for field, odd in odds.items()} | dict(own.odds)
        nothing = RENAMED if before.settled and before.field is None else own.nothing
        reason = " ".join(filter(None, (own.reason, change.reason, before.reason)))
        verdict = replace(own, odds=tuple(sorted(inherited.items())), nothing=nothing, reason=reason)
    if own.unit is None and before.unit is not None and read_name(change.column).unit is None:
        reason = before.unit_reason if verdict is not own else f"{change.reason} {before.unit_reason}"
        verdict = replace(verdict, unit=before.unit, unit_reason=reason, unit_sure=False)
    return verdict


def possible_fields(kind: str, own_fields: Iterable[OwnField]) -> frozenset[str]:
    """Ids of the fields that a column of such a table may mean."""
    if kind == "connections":
        return frozenset(CONNECTION_FIELDS)
    return frozenset(CATALOG) | {own.field_id for own in own_fields}


def _by_scope(
    lessons: Iterable[Lesson], source_id: UUID, fields: frozenset[str]
) -> tuple[dict[str, _Said], dict[str, _Said], dict[str, list[Lesson]]]:
    """Lessons of this source, of all files, and of other sources, by the column's name."""
    own: dict[str, _Said] = {}
    everywhere: dict[str, _Said] = {}
    elsewhere: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        if lesson.field is not None and lesson.field not in fields:
            continue
        key = column_key(lesson.column)
        if lesson.source_id not in (None, source_id):
            elsewhere.setdefault(key, []).append(lesson)
            continue
        said = (everywhere if lesson.source_id is None else own).setdefault(key, _Said())
        if lesson.verdict == "in_unit":
            said.unit = lesson
        elif lesson.verdict == "is":
            said.settled = lesson
        elif lesson.field is not None:
            said.rejected[lesson.field] = lesson
    return own, everywhere, elsewhere


def _verdict(
    own: _Said | None, everywhere: _Said | None, elsewhere: Iterable[Lesson], names: Mapping[UUID, str]
) -> Verdict:
    rejected: dict[str, Lesson] = {}
    for said in (own, everywhere):
        if said is None:
            continue
        if said.settled is not None and said.settled.field not in rejected:
            return Verdict(
                settled=True, field=said.settled.field, reason=told(said.settled.origin, _name(said.settled, names))
            )
        rejected |= said.rejected
    odds = {lesson.field: ELSEWHERE for lesson in elsewhere if lesson.verdict == "is" and lesson.field is not None}
    odds |= dict.fromkeys(rejected, 0.0)
    speaking = next((lesson for lesson in elsewhere if odds.get(lesson.field or "")), None)
    reasons = [told(lesson.origin, _name(lesson, names)) for lesson in rejected.values()]
    if speaking is not None:
        reasons.append(told(speaking.origin, _name(speaking, names)))
    return Verdict(odds=tuple(sorted(odds.items())), reason=" ".join(reasons))


def _with_unit(verdict: Verdict, own: _Said | None, everywhere: _Said | None, names: Mapping[UUID, str]) -> Verdict:
    """The verdict with the unit that was taught; of other sources it says nothing, as theirs may differ."""
    lesson = next((said.unit for said in (own, everywhere) if said is not None and said.unit is not None), None)
    if lesson is None:
        return verdict
    return replace(verdict, unit=lesson.unit, unit_reason=told(lesson.origin, _name(lesson, names)))


def told(origin: Origin, source_name: str | None) -> str:
    """Who taught something, when and for which source: a sentence for the reason of a mapping."""
    where = f" for “{source_name}”" if source_name else ""
    sentence = _SAID.get(origin.how, _TAUGHT)
    return sentence.format(by=origin.by, day=f"{origin.at:%Y-%m-%d}", where=where, text=origin.text)


def _name(lesson: Lesson, names: Mapping[UUID, str]) -> str | None:
    return names.get(lesson.source_id) if lesson.source_id is not None else None


def _own_names(own_fields: Iterable[OwnField], fields: frozenset[str]) -> dict[str, Verdict]:
    return {
        column_key(name): Verdict(settled=True, field=own.field_id, reason=f"It names your own field {own.label}.")
        for own in own_fields
        if own.field_id in fields
        for name in (own.label, *own.names)
    }
