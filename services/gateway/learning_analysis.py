"""What was taught, seen as a whole: which fields need it most, what contradicts, what is of no use."""

from collections import Counter
from collections.abc import Iterable, Sequence

from contracts.rest_learning import Contradiction, FieldLessons, LessonAnalysis, LessonView


def analysis_of(lessons: Sequence[LessonView], saved_columns: Iterable[str]) -> LessonAnalysis:
    """Count and compare lessons; `saved_columns` are the names of all columns that some saved mapping has."""
    settled = [lesson for lesson in lessons if lesson.verdict == "is"]
    taught = Counter(lesson.field for lesson in settled)
    corrected = Counter(lesson.field for lesson in settled if lesson.origin.how == "correction")
    by_column: dict[str, list[LessonView]] = {}
    for lesson in settled:
        by_column.setdefault(_folded(lesson.column), []).append(lesson)
    known = {_folded(column) for column in saved_columns}
    return LessonAnalysis(
        lessons=len(lessons),
        by_origin=dict(sorted(Counter(lesson.origin.how for lesson in lessons).items())),
        fields=[
            FieldLessons(field=field, lessons=number, corrections=corrected[field])
            for field, number in sorted(taught.items(), key=lambda each: (-each[1], each[0] or ""))
        ],
        contradictions=[
            Contradiction(column=said[0].column, lessons=said)
            for said in by_column.values()
            if len({lesson.field for lesson in said}) > 1
        ],
        unused=[lesson for lesson in lessons if _folded(lesson.column) not in known],
    )


def _folded(column: str) -> str:
    """A name without case and punctuation."""
    return "".join(character for character in column.casefold() if character.isalnum()) or column
