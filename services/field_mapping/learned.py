"""What a tenant was taught: a pure fold over its learnings, so that each can be taken back as if it had never been."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from contracts.learning import Learning, Lesson, Origin, Teaching
from services.field_mapping.taught import column_key


def lessons_in_force(learnings: Iterable[Learning]) -> list[Lesson]:
    """The lessons that count, of learnings in the order in which they were applied.

    A lesson takes the place of those before it that say otherwise of the same column in the same files, and adds
    nothing to one that says the same.
    """
    applied = [learning for learning in learnings if learning.status == "applied"]
    forgotten = {lesson_id for learning in applied for lesson_id in learning.forgets}
    by_column: dict[tuple[UUID | None, str], list[Lesson]] = {}
    for learning in applied:
        for lesson in learning.lessons:
            if lesson.lesson_id in forgotten:
                continue
            before = by_column.setdefault((lesson.source_id, column_key(lesson.column)), [])
            if not any(says_the_same(lesson, other) for other in before):
                before[:] = [other for other in before if not contradict(lesson, other)]
                before.append(lesson)
    return sorted((lesson for each in by_column.values() for lesson in each), key=lambda lesson: lesson.lesson_id)


def says_the_same(one: Teaching, other: Teaching) -> bool:
    """Whether two teachings about the same column in the same files mean the same."""
    return (one.verdict, one.field, one.unit) == (other.verdict, other.field, other.unit)


def contradict(one: Teaching, other: Teaching) -> bool:
    """Whether two teachings about the same column in the same files cannot both be true."""
    if "in_unit" in (one.verdict, other.verdict):
        return one.verdict == other.verdict and one.unit != other.unit
    if one.verdict == other.verdict == "is":
        return one.field != other.field
    return one.verdict != other.verdict and one.field == other.field


def new_lessons(learning_id: UUID, teachings: Iterable[tuple[UUID | None, Teaching]], origin: Origin) -> list[Lesson]:
    """Lessons of one learning from (source, teaching) pairs; of those that contradict each other the last counts."""
    lessons: dict[tuple[UUID | str | None, ...], Lesson] = {}
    for source_id, teaching in teachings:
        unit = () if teaching.unit is None else (teaching.unit,)
        key = (source_id, column_key(teaching.column), teaching.verdict, teaching.field, *unit)
        lessons[key] = Lesson(
            **teaching.model_dump(include=set(Teaching.model_fields)),
            lesson_id=uuid5(learning_id, "|".join(map(str, key))),
            source_id=source_id,
            origin=origin,
        )
    return list(lessons.values())


def forgetting(learnings: Sequence[Learning], lesson_ids: Iterable[UUID]) -> list[UUID]:
    """All lessons to leave out so that what these say is not said any more, by whichever learning it was."""
    wanted = set(lesson_ids)
    everything = [lesson for learning in learnings for lesson in learning.lessons]
    meant = {_meaning(lesson) for lesson in everything if lesson.lesson_id in wanted}
    return [lesson.lesson_id for lesson in everything if _meaning(lesson) in meant]


def _meaning(lesson: Lesson) -> tuple[UUID | str | None, ...]:
    return lesson.source_id, column_key(lesson.column), lesson.verdict, lesson.field, lesson.unit


def difference(before: Sequence[Lesson], after: Sequence[Lesson]) -> tuple[list[Lesson], list[UUID]]:
    """The lessons that came, and the ids of those that went."""
    known, kept = {lesson.lesson_id for lesson in before}, {lesson.lesson_id for lesson in after}
    return (
        [lesson for lesson in after if lesson.lesson_id not in known],
        [lesson.lesson_id for lesson in before if lesson.lesson_id not in kept],
    )
