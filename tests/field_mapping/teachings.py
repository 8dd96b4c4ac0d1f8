"""Lessons and learnings for tests, written by hand and drawn by Hypothesis."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from hypothesis import strategies as st

from contracts.learning import Learning, Lesson, Origin, Teaching
from services.field_mapping.learned import new_lessons

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


TEACHINGS = st.builds(
    Teaching, column=st.sampled_from(["Tier", "RAM_GB", "ram gb", "Name"]), verdict=st.just("is"),
    field=st.sampled_from([None, "dr_tier", "memory_gb", "hostname"]),
) | st.builds(
    Teaching, column=st.sampled_from(["Tier", "RAM_GB", "Name"]), verdict=st.just("is_not"),
    field=st.sampled_from(["dr_tier", "memory_gb", "hostname"]),
)  # fmt: skip
SAID = st.lists(st.tuples(st.sampled_from(SOURCES), TEACHINGS), max_size=5)
HISTORIES = st.lists(SAID, max_size=5).map(
    lambda sayings: [taught(number, *said) for number, said in enumerate(sayings)]
)
