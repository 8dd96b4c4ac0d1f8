"""500 seeds of the simulation, and proof that it notices when something is broken."""

import re
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Event
from contracts.lifecycle import FlowControlRequested
from services.flow_orchestrator import engine
from services.flow_orchestrator.batch import Batch
from services.flow_orchestrator.flow_type import END
from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.turn import Turn
from tests.flow_orchestrator import model
from tests.flow_orchestrator.model import UniqueViolation
from tests.flow_orchestrator.simulation import World, simulate

SEEDS, BLOCK = 500, 20
MUTANT_SEEDS = 100


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_whatever_happens_every_flow_ends_and_every_step_counts_once(first: int) -> None:
    for seed in range(first, first + BLOCK):
        try:
            simulate(seed)
        except Exception as error:
            error.add_note(f"To see it again: python -m tests.flow_orchestrator.simulation --seed {seed} --trace")
            raise


@pytest.mark.parametrize("seed", [3, 17])
def test_a_seed_says_everything(seed: int) -> None:
    """So that a failure can be looked at."""
    one, other = simulate(seed), simulate(seed)
    assert story(one) == story(other)


def story(world: World) -> list[tuple[str, str, str]]:
    """All decisions of all flows."""
    return [
        (str(flow_id), each.note, each.entry.at.isoformat())
        for flow_id, journal in world.tables.journal.items()
        for each in journal.values()
    ]


# -- broken engines


def stale_replies_count(patch: pytest.MonkeyPatch) -> None:
    def answered(state: FlowState, event: Any) -> str | None:
        name = (event.step or "").rpartition(":")[0]
        return name if name in state.phases and state.phases[name].status == "running" else None

    patch.setattr(engine, "_answered", answered)


def attempts_repeat(patch: pytest.MonkeyPatch) -> None:
    ask = Turn.ask

    def again(turn: Turn, name: str) -> None:
        view = turn.state.phases[name]
        view.attempt -= 1 if view.tries else 0
        ask(turn, name)

    patch.setattr(Turn, "ask", again)


def joins_forget_an_arrival(patch: pytest.MonkeyPatch) -> None:
    arrive = Turn._arrive

    def forgetful(turn: Turn, name: str, target: str) -> None:
        if target != END:
            turn.state.arrived.get(target, []).clear()
        arrive(turn, name, target)

    patch.setattr(Turn, "_arrive", forgetful)


def joins_forget_when_a_flow_stops(patch: pytest.MonkeyPatch) -> None:
    stop_work = Turn.stop_work

    def forgetful(turn: Turn, reason: str) -> None:
        turn.state.arrived = {}
        stop_work(turn, reason)

    patch.setattr(Turn, "stop_work", forgetful)


def held_phases_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    stop_work = Turn.stop_work

    def forgetful(turn: Turn, reason: str) -> None:
        turn.state.held = []
        stop_work(turn, reason)

    patch.setattr(Turn, "stop_work", forgetful)


def work_goes_on_after_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Turn, "stop_work", lambda turn, reason: None)


def tasks_are_not_withdrawn(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Turn, "call_back", lambda turn, name, reason: None)


def the_clock_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine, "tick", lambda flow_type, state, now: None)


def admission_is_not_one_at_a_time(patch: pytest.MonkeyPatch) -> None:
    lock = model.Transaction.lock

    async def careless(transaction: model.Transaction, key: Any, *, skip_locked: bool = False) -> bool:
        return key == "admission" or await lock(transaction, key, skip_locked=skip_locked)

    patch.setattr(model.Transaction, "lock", careless)


def flows_are_not_locked(patch: pytest.MonkeyPatch) -> None:
    lock = model.Transaction.lock

    async def careless(transaction: model.Transaction, key: Any, *, skip_locked: bool = False) -> bool:
        return key[0] in ("row", "journal") or await lock(transaction, key, skip_locked=skip_locked)

    patch.setattr(model.Transaction, "lock", careless)


def no_inbox(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "has_inbox", False)


def acknowledged_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "acknowledges_early", True)


def forgotten_before_the_confirm(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "deletes_unconfirmed", True)


def orders_to_unknown_children_are_dropped(patch: pytest.MonkeyPatch) -> None:
    take = Batch.take

    async def careless(batch: Batch, event: Event) -> None:
        if not isinstance(event, FlowControlRequested) or event.flow_id in batch.states:
            await take(batch, event)

    patch.setattr(Batch, "take", careless)


def room_is_not_given_away(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Batch, "_made_room", lambda batch: False)


def deleted_flows_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    async def forgotten(batch: Batch, flow_id: UUID) -> bool:
        return False

    patch.setattr(Batch, "_was_deleted", forgotten)


def people_go_before_the_cap(patch: pytest.MonkeyPatch) -> None:
    async def always(batch: Batch, state: FlowState, event: Event) -> bool:
        return True

    patch.setattr(Batch, "_has_room", always)


# What is broken, and how it shows.
MUTANTS = {
    stale_replies_count: "counted, which is not current",
    attempts_repeat: "was asked for again",
    joins_forget_an_arrival: "the join .* waits for|does not say what it waits for",
    joins_forget_when_a_flow_stops: "the join .* waits for",
    held_phases_are_forgotten: "a flow is nowhere",
    work_goes_on_after_the_end: "an ended flow still does",
    tasks_are_not_withdrawn: "tasks are open of flows that have ended",
    the_clock_is_forgotten: "it does not settle",
    admission_is_not_one_at_a_time: "flows run, the cap is|hold one concurrency key",
    flows_are_not_locked: "the journal has a gap",
    orders_to_unknown_children_are_dropped: "never heard of it",
    deleted_flows_are_forgotten: "a deleted flow began again|the journal has a gap",
    people_go_before_the_cap: "flows run, the cap is",
    room_is_not_given_away: "a flow is still queued",
    no_inbox: "an event was decided on twice",
    acknowledged_before_the_commit: "starts were accepted, but there are no flows",
    forgotten_before_the_confirm: "a decision was not told",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_platform_is_noticed(mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    for seed in range(MUTANT_SEEDS):
        try:
            simulate(seed)
        except (AssertionError, UniqueViolation) as error:
            if re.search(MUTANTS[mutant], str(error)):
                return
    raise AssertionError(f"nobody noticed that {mutant.__name__}")
