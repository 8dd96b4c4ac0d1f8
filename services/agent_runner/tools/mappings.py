"""What people taught about columns: looked up, counted, and proposed, which changes nothing by itself."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal
from uuid import uuid5

from pydantic import Field
from rapidfuzz import fuzz
from sqlalchemy import select

from contracts.catalog import CATALOG, CONNECTION_FIELDS
from contracts.learning import OWN_PREFIX, LearningRequested, Teaching
from services.agent_runner.agents.learning_specialist.rules import column_key
from services.agent_runner.tables import TaughtLesson
from services.agent_runner.tools.definition import Arguments, Run, Tool
from services.chassis.errors import ExpectedFailure

MOST_ROWS = 20
_LOOKED_AT = 10_000
# Names that are written so nearly alike as `fuzz.ratio` of 100 says are worth showing.
ALIKE = 80


class QueryFieldMappings(Arguments):
    """Which column."""

    column: str = Field(min_length=1, max_length=500, description="Its name; case and punctuation do not count")


class AnalyseFieldMappings(Arguments):
    """Which columns, or columns of which field."""

    column: str | None = Field(default=None, max_length=500, description="Part of their names; null: any")
    field: str | None = Field(default=None, max_length=100, description="Id of the field that they mean; null: any")


class ProposeFieldMapping(Arguments):
    """What is proposed."""

    column: str = Field(min_length=1, max_length=500, description="Name of the columns that this is about")
    field: str | None = Field(max_length=60, description="Id of the field that they mean; null: they mean none")
    verdict: Literal["is", "is_not"] = "is"
    reason: str = Field(min_length=1, max_length=1000, description="For the person who decides: the evidence")


async def query_field_mappings(run: Run, asked: QueryFieldMappings) -> dict[str, Any]:
    """The lessons that count about columns of this name, and about names like it."""
    wanted = column_key(asked.column)
    lessons = [lesson for lesson in await _lessons(run) if lesson.in_force]
    near = [(fuzz.ratio(wanted, column_key(lesson.column)), lesson) for lesson in lessons]
    alike = [(score, lesson) for score, lesson in sorted(near, key=lambda each: -each[0]) if score >= ALIKE]
    rows = [{**_told(lesson), "same_name": column_key(lesson.column) == wanted} for _, lesson in alike]
    return {"found": len(rows), "rows": rows[:MOST_ROWS]}


async def analyse_field_mappings(run: Run, asked: AnalyseFieldMappings) -> dict[str, Any]:
    """How often people confirmed and corrected what columns mean, by name and field; most corrected first."""
    lessons = await _lessons(run)
    part = column_key(asked.column) if asked.column else ""
    chosen = [
        lesson
        for lesson in lessons
        if part in column_key(lesson.column) and asked.field in (None, lesson.field) and lesson.column
    ]
    rows = counted_by_name(chosen)
    return {"found": len(rows), "rows": rows[:MOST_ROWS]}


def counted_by_name(lessons: Iterable[TaughtLesson]) -> list[dict[str, Any]]:
    """For each column's name and field: how often it was confirmed, corrected or said, of how many sources."""
    groups: dict[tuple[str, str, str], list[TaughtLesson]] = {}
    for lesson in lessons:
        groups.setdefault((column_key(lesson.column), lesson.verdict, lesson.field or ""), []).append(lesson)
    fields: dict[str, set[str]] = {}
    for name, verdict, field in groups:
        if verdict == "is":
            fields.setdefault(name, set()).add(field)
    rows = [
        {
            "column": name,
            "verdict": verdict,
            "field": field or None,
            "counts_now": any(each.in_force for each in group),
            "confirmed": sum(each.how == "approval" for each in group),
            "corrected": sum(each.how == "correction" for each in group),
            "said": sum(each.how not in ("approval", "correction") for each in group),
            "taken_back": sum(not each.in_force for each in group),
            "sources": len({each.source_id for each in group if each.source_id is not None}),
            "contradicted": len(fields.get(name, ())) > 1,
        }
        for (name, verdict, field), group in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row["corrected"], not row["contradicted"], row["column"]))


async def propose_field_mapping(run: Run, asked: ProposeFieldMapping) -> dict[str, Any]:
    """Ask for a learning that is proposed to people and not applied; the same proposal of a run is one."""
    known = asked.field in CATALOG or asked.field in CONNECTION_FIELDS
    if asked.field is not None and not known and not asked.field.startswith(OWN_PREFIX):
        raise ExpectedFailure("unknown_field", f"There is no field {asked.field[:60]!r}.")
    if asked.field is None and asked.verdict == "is_not":
        raise ExpectedFailure("field_missing", "To say what a column is not, name the field.")
    # A run that was interrupted comes again and must not propose twice.
    said = f"{column_key(asked.column)}|{asked.verdict}|{asked.field}"
    learning_id = uuid5(run.task_id, said)
    await run.job.tell(
        LearningRequested(
            id=learning_id,
            tenant=run.tenant,
            learning_id=learning_id,
            requested_by=f"agent {run.agent}",
            lessons=[Teaching(column=asked.column, verdict=asked.verdict, field=asked.field)],
            reason=asked.reason,
        )
    )
    return {"proposed": str(learning_id), "note": "It counts once a person has looked at its effect and applied it."}


async def _lessons(run: Run) -> Sequence[TaughtLesson]:
    newest = select(TaughtLesson).order_by(TaughtLesson.revision.desc(), TaughtLesson.lesson_id).limit(_LOOKED_AT)
    async with run.job.reading() as session:
        return (await session.scalars(newest)).all()


def _told(lesson: TaughtLesson) -> dict[str, Any]:
    unit = {"unit": lesson.unit} if lesson.unit else {}
    whose = "files of one source" if lesson.source_id else "all files"
    return {"column": lesson.column[:200], "verdict": lesson.verdict, "field": lesson.field, **unit, "for": whose}


TOOLS = (
    Tool(
        name="query_field_mappings",
        description="What people of this engagement taught about columns of a name, and of names like it.",
        arguments=QueryFieldMappings,
        call=query_field_mappings,
        needs=TaughtLesson,
    ),
    Tool(
        name="analyse_field_mappings",
        description="How often people confirmed, corrected and took back what columns mean, and where they disagree.",
        arguments=AnalyseFieldMappings,
        call=analyse_field_mappings,
        needs=TaughtLesson,
    ),
    Tool(
        name="propose_field_mapping",
        description="Propose to people what columns of a name mean in all files. It changes nothing: a person decides.",
        arguments=ProposeFieldMapping,
        call=propose_field_mapping,
        needs=TaughtLesson,
    ),
)
