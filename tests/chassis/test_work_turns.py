"""Whose work is next, without a database: shares by weight, nobody starved, no slot left empty."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.fairness import Lane, Running, Turns

A, B, C, D = (UUID(int=number) for number in range(1, 5))
MANY = 10_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def lane(client: UUID, *, priority: int = 0, weight: int = 1, waiting: int = MANY, age: int = 0) -> Lane:
    return Lane(client, priority, weight, waiting, START - timedelta(seconds=age))


def one_after_another(turns: Turns, lanes: list[Lane], times: int) -> list[UUID]:
    """Who is served when there is one slot and each piece ends before the next is taken."""
    return [next(iter(turns.take(lanes, {}, free=1, limit=16))).client for _ in range(times)]


def test_weights_are_shares_of_the_turns_also_with_a_single_slot() -> None:
    served = Counter(one_after_another(Turns(), [lane(A, weight=3), lane(B)], 400))
    assert served == {A: 300, B: 100}


def test_weights_are_shares_of_many_slots_taken_at_once() -> None:
    taken = Turns().take([lane(A, weight=3), lane(B)], {}, free=8, limit=16)
    assert {each.client: count for each, count in taken.items()} == {A: 6, B: 2}


def test_a_newcomer_goes_before_backlogs_however_old_and_important_they_are() -> None:
    turns = Turns()
    backlogs = [lane(A, priority=9, age=3600), lane(B, priority=9, age=7200)]
    one_after_another(turns, backlogs, 1001)
    assert C in one_after_another(turns, [*backlogs, lane(C, waiting=1)], 2)


def test_who_was_idle_has_saved_no_turns() -> None:
    turns = Turns()
    one_after_another(turns, [lane(A)], 1000)
    served = Counter(one_after_another(turns, [lane(A), lane(B)], 100))
    assert served == {A: 50, B: 50}


def test_work_without_end_of_one_does_not_take_the_slot_of_another() -> None:
    turns, lanes = Turns(), [lane(A, age=60), lane(B)]
    assert {each.client for each in turns.take(lanes, {}, free=2, limit=16)} == {A, B}
    for _ in range(100):
        # What A began never ends; each piece of B has ended before the next turn.
        assert [each.client for each in turns.take(lanes, {A: Running(1, 1)}, free=1, limit=16)] == [B]


def test_the_higher_priority_of_a_tenant_goes_first_and_then_the_older_work() -> None:
    turns, lanes = Turns(), [lane(A, waiting=2, age=60), lane(A, priority=5, waiting=2)]
    assert turns.take(lanes, {}, free=3, limit=16) == {lanes[1]: 2, lanes[0]: 1}
    older = [lane(A), lane(B, age=60)]
    assert list(Turns().take(older, {}, free=1, limit=16)) == [older[1]]


LANES = st.lists(
    st.builds(
        lane,
        st.sampled_from([A, B, C, D]),
        priority=st.integers(-2, 2),
        weight=st.integers(1, 5),
        waiting=st.integers(1, 4),
        age=st.integers(0, 100),
    ),
    max_size=8,
    unique_by=lambda each: (each.client, each.priority),
)
RUNNING = st.dictionaries(st.sampled_from([A, B, C, D]), st.builds(Running, st.integers(1, 6), st.integers(1, 5)))


@given(LANES, RUNNING, st.integers(1, 8), st.integers(1, 5))
def test_limits_hold_and_no_slot_stays_empty_while_somebody_may_work(
    lanes: list[Lane], running: dict[UUID, Running], free: int, limit: int
) -> None:
    taken = Turns().take(lanes, running, free, limit)
    served = Counter[UUID]()
    for each, count in taken.items():
        assert 0 < count <= each.waiting
        served[each.client] += count
    may = Counter[UUID]()
    for each in lanes:
        may[each.client] += each.waiting
    for client, count in may.items():
        busy = running[client].count if client in running else 0
        may[client] = max(0, min(count, limit - busy))
        assert served[client] <= may[client]
    assert served.total() == min(free, may.total())


@given(st.lists(st.integers(1, 3), min_size=2, max_size=4), st.lists(st.integers(1, 3), min_size=30, max_size=60))
def test_whoever_waits_is_served_by_the_time_the_others_had_their_shares(weights: list[int], frees: list[int]) -> None:
    turns = Turns()
    lanes = [lane(UUID(int=number), weight=weight) for number, weight in enumerate(weights)]
    order: list[UUID] = []
    for free in frees:
        for each, count in turns.take(lanes, {}, free, limit=16).items():
            order += [each.client] * count
    # Between two turns of one, each other has at most its weight's multiple of turns, and one more that was begun.
    longest = sum(weight + 1 for weight in weights) + max(frees)
    for each in lanes:
        gaps = [-1, *(place for place, client in enumerate(order) if client == each.client), len(order)]
        assert max(later - earlier for earlier, later in pairwise(gaps)) <= longest
