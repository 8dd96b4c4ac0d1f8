"""What is worth remembering of what people taught and decided, in sentences that a person and a model can read."""

from collections.abc import Sequence

from contracts.agent_memory import Memory
from contracts.catalog import CATALOG
from contracts.flows import ApprovalDecided
from contracts.learning import FieldMappingLearned, Lesson

# The other kinds are those of the gates at which people decide.
LESSON = "lesson"
# Of one kind; the oldest go first.
MOST_OF_A_KIND = 1000
MOST_CHARACTERS = 600
_OF_COLUMNS = ["cmdb_analyst", "learning_specialist", "pattern_recognition"]
_OF_PLANS = ["migration_strategist", "risk_assessor", "wave_planner"]
# By the kind of what was decided: what it is called, and whose business it is.
_DECISIONS = {
    "field_mapping": ("The proposed meaning of columns", _OF_COLUMNS),
    "readiness": ("To go on with data that is not ready", _OF_PLANS),
    "wave_plan": ("The plan of waves", _OF_PLANS),
}


def memories_of_lessons(event: FieldMappingLearned) -> list[Memory]:
    """The lessons that count since then, the newest if there are more than are kept."""
    return [
        Memory(
            memory_id=lesson.lesson_id,
            kind=LESSON,
            agents=_OF_COLUMNS,
            text=shortened(said(lesson)),
            by=lesson.origin.by,
            at=lesson.origin.at,
            source_event=event.id,
            source_type=event.type_name,
            flow_id=lesson.origin.flow_id,
        )
        for lesson in newest(event.added)
    ]


def newest(lessons: Sequence[Lesson]) -> Sequence[Lesson]:
    """As many as are kept of a kind."""
    return sorted(lessons, key=lambda lesson: (lesson.origin.at, lesson.lesson_id))[-MOST_OF_A_KIND:]


def said(lesson: Lesson) -> str:
    """A lesson as a sentence. It has the names of column and field, and no value of a cell."""
    if lesson.verdict == "in_unit":
        return f"The column “{lesson.column}” is in {lesson.unit}."
    means = "does not mean" if lesson.verdict == "is_not" else "means"
    field = "nothing that is kept" if lesson.field is None else _field(lesson.field)
    return f"The column “{lesson.column}” {means} {field}."


def _field(field_id: str) -> str:
    known = CATALOG.get(field_id)
    return f"{known.label} ({field_id})" if known is not None else field_id


def memory_of_decision(event: ApprovalDecided) -> Memory | None:
    """What somebody decided at a gate, if it was no or came with a word; a mere yes teaches nothing."""
    comment = (event.comment or "").strip()
    if event.kind not in _DECISIONS or (event.decision == "approve" and not comment):
        return None
    what, agents = _DECISIONS[event.kind]
    verdict = "approved" if event.decision == "approve" else "rejected"
    return Memory(
        memory_id=event.task_id,
        kind=event.kind,
        agents=agents,
        text=shortened(f"{what} was {verdict}" + (f": “{comment}”" if comment else ".")),
        by=event.decided_by,
        at=event.time,
        source_event=event.id,
        source_type=event.type_name,
        flow_id=event.flow_id,
    )


def shortened(text: str) -> str:
    """No longer than a memory may be."""
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
