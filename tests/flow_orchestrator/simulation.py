"""Flows under everything that can go wrong, in virtual time: `python -m tests.flow_orchestrator.simulation --seed 7`.

The engine and the batches are the real ones; Postgres, the bus, workers and people are models that do whatever a seed
says: messages are reordered, doubled and late, publishes are lost, orchestrators die between any two steps, workers
fail, fall silent or answer long after. Then all calm down, and what is left is checked.
"""

import argparse
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from contracts.envelope import Event
from services.flow_orchestrator import batch
from services.flow_orchestrator.batch import Batch, ChildNotStarted
from tests.flow_orchestrator.model import Deadlock, Pause, Store, Transaction, UniqueViolation
from tests.flow_orchestrator.surroundings import CAP, Message, Surroundings

CHAOS_STEPS = 500
CALM_STEPS = 30_000


@dataclass(eq=False)
class Task:
    """Something an orchestrator does, and where it stands."""

    name: str
    steps: Coroutine[Any, Any, None]
    transaction: Transaction | None = None
    message: Message | None = None
    waits_for: Any = None

    def close(self) -> None:
        """It dies where it stands, and its locks with it."""
        if self.transaction is not None:
            self.transaction.end()
        self.steps.close()


class World(Surroundings):
    """Two orchestrators, a bus, workers and people; all that happens is drawn from one seed."""

    # What a mutant changes to see that somebody notices.
    acknowledges_early = False
    has_inbox = True
    deletes_unconfirmed = False

    def __init__(self, seed: int, trace: bool = False) -> None:
        super().__init__(seed, trace)
        self.tasks: list[Task] = []
        self.relay: Task | None = None
        self.store = Store(self.catalogue, CAP)

    # -- the run

    def run(self) -> None:
        """Chaos, then calm, then what must hold."""
        for _ in range(self.random.randint(2, 5)):
            self.somebody_starts()
        for _ in range(CHAOS_STEPS):
            self.step()
        self.calm = True
        self.say("---- all calm down")
        for _ in range(CALM_STEPS):
            if not self.step():
                break
        else:
            raise AssertionError("it does not settle")
        self.proof.settled()

    def step(self) -> bool:
        """One thing that happens next; False when nothing is left to happen."""
        runnable = [task for task in self.tasks if self.tables.locks.get(task.waits_for) is None]
        if self.tasks and not runnable:
            self.break_deadlock(self.random.choice([task for task in self.tasks if task.waits_for is not None]))
            return True
        ready = [each for each in self.messages if not each.taken and each.ready_at <= self.now]
        due = [each for each in self.to_answer if each[0] <= self.now]
        wakes = [row.wake_at for row in self.tables.flows.values() if row.wake_at is not None]
        choices: list[tuple[Any, float]] = []
        if runnable:
            choices.append((lambda: self.advance(self.random.choice(runnable)), 8))
        if ready and len(self.tasks) < 5:
            choices.append((lambda: self.deliver(self.random.choice(ready)), 4))
        if due:
            choices.append((lambda: self.a_worker_answers(self.random.choice(due)), 3))
        if self.tables.outbox and self.relay is None:
            choices.append((self.begin_relay, 4))
        if any(wake_at <= self.now for wake_at in wakes) and not any(task.name == "sweep" for task in self.tasks):
            choices.append((self.begin_sweep, 2))
        if not self.calm:
            choices += [(self.somebody_wants_something, 0.7), (self.an_orchestrator_dies, 0.12)]
            choices += [(self.somebody_starts, 0.05), (self.time_passes, 0.6)]
        if self.to_decide and (self.calm or self.random.random() < 0.3):
            choices.append((self.somebody_decides, 2))
        if not choices:
            return self.time_passes() or self.somebody_helps()
        [action] = self.random.choices([each for each, _ in choices], [weight for _, weight in choices])
        action()
        return True

    def time_passes(self) -> bool:
        """To the next moment at which anything is due."""
        times = [each.ready_at for each in self.messages if not each.taken] + [each for each, _ in self.to_answer]
        times += [row.wake_at for row in self.tables.flows.values() if row.wake_at is not None]
        later = [each for each in times if each > self.now]
        if not later:
            return False
        self.now = min(later)
        return True

    # -- orchestrators

    def deliver(self, message: Message) -> None:
        message.taken = True
        if message.queue == "orchestrator":
            self.begin(f"take {[event.type_name for event in message.events]}", self.consume, message)
            return
        self.messages.remove(message)
        for event in message.events:
            self.somebody_hears(message.queue, event)

    def begin(self, name: str, does: Any, message: Message | None = None) -> Task:
        transaction = Transaction(self.tables, self.now, self.proof.committed)
        task = Task(name, does(transaction, message), transaction, message)
        self.tasks.append(task)
        return task

    def advance(self, task: Task) -> None:
        try:
            task.waits_for = task.steps.send(None).until
        except StopIteration:
            self.tasks.remove(task)
            self.relay = None if task is self.relay else self.relay

    def break_deadlock(self, victim: Task) -> None:
        """As Postgres does: one of those that wait for each other is rolled back."""
        self.say(f"a deadlock; its victim: {victim.name}")
        try:
            victim.waits_for = victim.steps.throw(Deadlock()).until
        except (StopIteration, Deadlock):
            victim.close()
            self.tasks.remove(victim)

    async def consume(self, transaction: Transaction, message: Message) -> None:
        """As the chassis does around `handlers.advance`."""
        if self.acknowledges_early:
            self.messages.remove(message)
            await Pause()
        try:
            if self.has_inbox:
                events = await transaction.enter_inbox(message.events)
            else:
                events = transaction.heard = list(message.events)
            moved = await Batch.of(transaction, [e.flow_id for e in events if e.flow_id is not None], self.now)  # type: ignore[arg-type]
            for event in events:
                await moved.take(event)
            transaction.events = await moved.finish()
            await Pause()
            transaction.commit()
        except (UniqueViolation, Deadlock, ChildNotStarted) as error:
            self.say(f"rolled back: {error!r}")
            transaction.end()
            self.try_again(message)
        await Pause()
        if message in self.messages:
            self.messages.remove(message)

    def try_again(self, message: Message) -> None:
        """Each event alone, and later; after some attempts it is a dead letter."""
        if message.attempts < 6:
            for event in message.events:
                self.post("orchestrator", (event,), 5**message.attempts, message.attempts + 1)
        else:
            child = message.events[0].flow_id
            assert child in self.proof.deleted, f"a dead letter: {message.events}"

    def begin_sweep(self) -> None:
        self.begin("sweep", self.sweep)

    async def sweep(self, transaction: Transaction, _: None) -> None:
        """As `timers` does."""
        flows = self.tables.flows
        due = [flow_id for flow_id, row in flows.items() if row.wake_at is not None and row.wake_at <= self.now]
        await Pause()
        moved = Batch(transaction, await self.store.locked(transaction, due, skip_locked=True), self.now)  # type: ignore[arg-type]
        for state in list(moved.states.values()):
            if not moved.tick(state):
                transaction.move({state.flow_id: state.wake_at})
        transaction.events = await moved.finish()
        await Pause()
        transaction.commit()

    def begin_relay(self) -> None:
        self.relay = self.begin("relay", self.publish)

    async def publish(self, transaction: Transaction, _: None) -> None:
        """As the outbox relay does: what is not confirmed stays."""
        rows = sorted(self.tables.outbox.items())[: self.random.randint(1, 8)]
        await Pause()
        if self.deletes_unconfirmed:
            for row, _event in rows:
                del self.tables.outbox[row]
        if not self.calm and self.random.random() < 0.05:
            self.say("a publish is lost")
            return
        packed: dict[str, list[Event]] = {}
        for _row, event in rows:
            packed.setdefault(event.type_name, []).append(event)
        for events in packed.values():
            self.route(tuple(events))
        await Pause()
        for row, _event in rows:
            self.tables.outbox.pop(row, None)

    def an_orchestrator_dies(self) -> None:
        """All that it does is gone; what it had not acknowledged comes again."""
        dead = self.random.sample(self.tasks, self.random.randint(0, len(self.tasks)))
        for task in dead:
            self.say(f"dies: {task.name}")
            task.close()
            if task.message is not None:
                task.message.taken = False
            self.tasks.remove(task)
            self.relay = None if task is self.relay else self.relay


@contextmanager
def modelled(world: World) -> Iterator[None]:
    """The batches work on the model instead of Postgres."""
    store = world.store
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "store", store)
        patch.setattr(batch, "room", store.room)
        patch.setattr(batch, "next_in_queue", store.next_in_queue)
        patch.setattr(batch, "FLOW_TYPES", world.catalogue)
        yield


def simulate(seed: int, trace: bool = False, kind: type[World] = World) -> World:
    """Run one seed; raises what does not hold."""
    world = kind(seed, trace)
    with modelled(world):
        try:
            world.run()
        finally:
            for task in world.tasks:
                task.close()
    return world


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--trace", action="store_true")
    chosen = arguments.parse_args()
    for row in simulate(chosen.seed, chosen.trace).tables.flows.values():
        print(row.status, row.revision)  # noqa: T201
