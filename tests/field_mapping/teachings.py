"""Lessons and learnings for tests, written by hand and drawn by Hypothesis."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from hypothesis import strategies as st

from contracts.discovery import ColumnMapping
from contracts.learning import Learning, LearningDocument, Lesson, Origin, Teaching
from contracts.rest_learning import LessonView, SavedMappingView
from services.field_mapping.learned import new_lessons
from services.field_mapping.sources import KnownHeader
from services.field_mapping.verdicts import Knowledge
from services.gateway.learning_document import document_of

ORIGIN = Origin(how="lesson", by="Ann", at=datetime(2026, 11, 20, tzinfo=UTC))
SOURCES = (None, UUID(int=1), UUID(int=2))
IDS = UUID(int=9)


def learning(number: int, lessons: Sequence[Lesson] = (), forgets: Sequence[UUID] = ()) -> Learning:
    return Learning(
        learning_id=uuid5(IDS, f"{number}"),
        status="applied",
        origin=ORIGIN,
        lessons=list(lessons),
        forgets=list(forgets),
    )


def taught(number: int, *teachings: tuple[UUID | None, Teaching]) -> Learning:
    """An applied learning with lessons of its own."""
    return learning(number, new_lessons(uuid5(IDS, f"{number}"), teachings, ORIGIN))


def exported(known: Knowledge, headers: Sequence[KnownHeader]) -> LearningDocument:
    """The document that the gateway makes of the same knowledge."""
    lessons = [LessonView(**lesson.model_dump()) for lesson in known.lessons]
    mappings = [
        SavedMappingView(
            mapping_id=header.mapping_id,
            source_id=header.source_id,
            source_name=header.source_name,
            kind=header.kind,
            family=header.family,
            file_name="a.csv",
            sheet=None,
            columns=[
                ColumnMapping(column=each.name, field=None, confidence=0, status="unmapped", reason="test")
                for each in header.columns
            ],
            drift=[],
            decided=True,
            missing_fields={},
            flow_id=None,
            saved_at=ORIGIN.at,
        )
        for header in headers
    ]
    return document_of(known.own_fields, lessons, mappings)


TEACHINGS = st.builds(
    Teaching, column=st.sampled_from(["Tier", "RAM_GB", "ram gb", "Name"]), verdict=st.just("is"),
    field=st.sampled_from([None, "dr_tier", "memory_gb", "hostname"]),
) | st.builds(
    Teaching, column=st.sampled_from(["Tier", "RAM_GB", "Name"]), verdict=st.just("is_not"),
    field=st.sampled_from(["dr_tier", "memory_gb", "hostname"]),
) | st.builds(
    Teaching, column=st.sampled_from(["RAM_GB", "ram gb"]), verdict=st.just("in_unit"), field=st.none(),
    unit=st.sampled_from(["MB", "GB"]),
)  # fmt: skip
SAID = st.lists(st.tuples(st.sampled_from(SOURCES), TEACHINGS), max_size=5)
HISTORIES = st.lists(SAID, max_size=5).map(
    lambda sayings: [taught(number, *said) for number, said in enumerate(sayings)]
)
