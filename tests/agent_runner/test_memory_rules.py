"""What is worth remembering, how it is said, and how near hashed words bring texts to each other."""

from datetime import UTC, datetime
from math import fsum
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.flows import ApprovalDecided
from contracts.learning import FieldMappingLearned, Learning, Lesson, Origin
from services.agent_runner.agents.registry import AGENTS
from services.agent_runner.memory import teachings
from services.agent_runner.memory.recalling import MOST_CHARACTERS, asked_about
from services.agent_runner.memory.teachings import memories_of_lessons, memory_of_decision
from services.agent_runner.memory.vectors import SIZE, hashed
from services.chassis.testing import some_tenant

ORIGIN = Origin(how="feedback", by="Ann", at=datetime(2026, 11, 20, tzinfo=UTC))
WORDS = st.text(max_size=60)


def learned(*lessons: Lesson) -> FieldMappingLearned:
    learning = Learning(learning_id=uuid4(), status="applied", origin=ORIGIN, lessons=list(lessons))
    return FieldMappingLearned(tenant=some_tenant(), learning=learning, revision=1, added=list(lessons), removed=[])


def lesson(column: str, field: str | None = None, **more: Any) -> Lesson:
    return Lesson(column=column, field=field, lesson_id=uuid4(), origin=more.pop("origin", ORIGIN), **more)


def decided(kind: str, decision: str = "approve", comment: str | None = None) -> ApprovalDecided:
    return ApprovalDecided.model_validate(
        {"tenant": some_tenant(), "flow_id": uuid4(), "task_id": uuid4(), "kind": kind, "decision": decision}
        | {"decided_by": "Ann", "comment": comment}
    )


def near(one: str, other: str) -> float:
    first, second = hashed([one, other])
    return fsum(a * b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lesson("RAM_GB", "memory_gb"), "The column “RAM_GB” means Memory (memory_gb)."),
        (lesson("Tier", "own_tier", verdict="is_not"), "The column “Tier” does not mean own_tier."),
        (lesson("Xyzzy"), "The column “Xyzzy” means nothing that is kept."),
        (lesson("RAM", verdict="in_unit", unit="MB"), "The column “RAM” is in MB."),
    ],
)
def test_a_lesson_is_said_in_a_sentence(given: Lesson, said: str) -> None:
    (memory,) = memories_of_lessons(learned(given))
    assert (memory.text, memory.memory_id, memory.by) == (said, given.lesson_id, "Ann")
    assert set(memory.agents) < set(AGENTS)


def test_the_newest_lessons_are_kept_and_none_is_longer_than_a_memory_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teachings, "MOST_OF_A_KIND", 2)
    days = [ORIGIN.model_copy(update={"at": datetime(2026, 11, day, tzinfo=UTC)}) for day in (3, 1, 2)]
    memories = memories_of_lessons(learned(*(lesson("x" * 500, "y" * 500, origin=origin) for origin in days)))
    assert [each.at.day for each in memories] == [2, 3]
    assert {len(each.text) for each in memories} == {teachings.MOST_CHARACTERS}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (decided("wave_plan", "reject", "ERP stays"), "The plan of waves was rejected: “ERP stays”"),
        (decided("wave_plan", "reject"), "The plan of waves was rejected."),
        (decided("readiness", comment=" late "), "To go on with data that is not ready was approved: “late”"),
        (decided("field_mapping", comment="  "), None),
        (decided("wave_plan"), None),
        (decided("change_plan", "reject", "no"), None),
    ],
)
def test_a_decision_is_remembered_where_it_says_something(event: ApprovalDecided, said: str | None) -> None:
    memory = memory_of_decision(event)
    assert (None if memory is None else memory.text) == said
    assert memory is None or (memory.kind, memory.flow_id, memory.source_event) == (event.kind, event.flow_id, event.id)


@given(WORDS)
def test_a_text_has_one_vector_of_length_one_or_of_zeros(text: str) -> None:
    first, again = hashed([text, text])
    assert first == again
    assert len(first) == SIZE
    length = fsum(value * value for value in first)
    assert length == pytest.approx(1) or not any(first)


@given(st.lists(st.sampled_from(["ledger", "oracle", "web01", "finance", "Berlin"]), min_size=1, max_size=5))
def test_the_order_of_words_says_nothing(words: list[str]) -> None:
    assert near(" ".join(words), " ".join(reversed(words))) == pytest.approx(1)


def test_what_shares_words_or_parts_of_words_is_nearer_than_what_does_not() -> None:
    taught = "The column “APPLICATION_OWNER” means Business owner (business_owner)."
    assert near("AppOwner", taught) > 0.3 > near("Arbeitsspeicher", taught)
    assert near("aplication owner", taught) > near("operating system", taught)


def test_a_doubt_is_asked_about_by_its_short_texts() -> None:
    evidence = {
        "key": str(UUID(int=5)),
        "column": "RAM_GB",
        "samples": ["16", "RAM_GB", "32 GB", "four"],
        "known": {"as": "memory"},
        "reason": "x" * 500,
        "rows": 7,
    }
    assert asked_about({"evidence": evidence}) == "RAM_GB 32 GB memory"
    assert len(asked_about({"evidence": {"a": ["word " * 15, "another " * 12, "third " * 15]}})) <= MOST_CHARACTERS
