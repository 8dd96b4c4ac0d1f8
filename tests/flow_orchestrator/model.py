"""A model of the orchestrator's Postgres for the simulation: locks, unique keys, and commits that happen at once."""

from collections.abc import Callable, Collection, Generator, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.envelope import Event
from services.flow_orchestrator.admission import Room
from services.flow_orchestrator.engine import Decision
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.catalogue import Catalogue
from services.flow_orchestrator.state import ENDED, FlowState

NOT_BEGUN = ("created", "scheduled", "queued")


class UniqueViolation(Exception):
    """Another transaction has committed a row of this key; this one is lost."""


class Deadlock(Exception):
    """This transaction and another wait for each other, and this one is given up."""


class Pause:
    """Where another process may come first, or this one may die; `until` is the lock that is waited for."""

    def __init__(self, until: Hashable | None = None) -> None:
        self.until = until

    def __await__(self) -> Generator["Pause", None, None]:
        yield self


@dataclass
class Row:
    """What the master row of a flow holds."""

    state: str
    status: str
    revision: int
    wake_at: datetime | None
    priority: int
    created_at: datetime
    concurrency_key: str | None

    @property
    def holds_key(self) -> bool:
        return self.concurrency_key is not None and self.status not in (*NOT_BEGUN, *ENDED)


@dataclass
class Tables:
    """What is committed, and who holds which lock."""

    flows: dict[UUID, Row] = field(default_factory=dict)
    journal: dict[UUID, dict[int, Decision]] = field(default_factory=dict)
    inbox: set[UUID] = field(default_factory=set)
    outbox: dict[int, Event] = field(default_factory=dict)
    locks: dict[Hashable, "Transaction"] = field(default_factory=dict)
    next_row: int = 0
    order: dict[UUID, int] = field(default_factory=dict)
    deleted: set[UUID] = field(default_factory=set)


class Transaction:
    """One transaction; nothing of it is seen by others until it commits."""

    def __init__(self, tables: Tables, now: datetime, committed: Callable[["Transaction"], None]) -> None:
        self.tables = tables
        self.now = now
        self.decisions: list[Decision] = []
        self.events: list[Event] = []
        self.heard: list[Event] = []
        self._committed = committed
        self._inbox: set[UUID] = set()
        self._timers: dict[UUID, datetime | None] = {}
        self._locks: list[Hashable] = []

    async def lock(self, key: Hashable, *, skip_locked: bool = False) -> bool:
        """Hold a lock until the end; False if somebody has it and it is to be skipped."""
        while self.tables.locks.get(key, self) is not self:
            if skip_locked:
                return False
            await Pause(key)
        if key not in self.tables.locks:
            self.tables.locks[key] = self
            self._locks.append(key)
        return True

    async def enter_inbox(self, events: Sequence[Event]) -> list[Event]:
        """Those that this service has not handled yet, each once, in order."""
        by_id = {event.id: event for event in events}
        for event_id in sorted(by_id, key=self.tables.order.__getitem__):
            await self.lock(("inbox", event_id))
        self.heard = [event for event_id, event in by_id.items() if event_id not in self.tables.inbox]
        self._inbox = {event.id for event in self.heard}
        return self.heard

    def move(self, timers: dict[UUID, datetime | None]) -> None:
        self._timers |= timers

    def commit(self) -> None:
        """Everything at once."""
        tables = self.tables
        tables.inbox |= self._inbox
        for flow_id, wake_at in self._timers.items():
            tables.flows[flow_id].wake_at = wake_at
        for decision in self.decisions:
            self._write(decision)
        for event in self.events:
            tables.outbox[tables.next_row] = event
            tables.next_row += 1
        self.end()
        self._committed(self)

    def end(self) -> None:
        """Let go of every lock: after a commit, a roll-back or a crash."""
        for key in self._locks:
            del self.tables.locks[key]
        self._locks = []

    def _write(self, decision: Decision) -> None:
        flow_id, state = decision.state.flow_id, decision.state
        if decision.deleted:
            del self.tables.flows[flow_id], self.tables.journal[flow_id]
            self.tables.deleted.add(flow_id)
            return
        before = self.tables.flows.get(flow_id)
        wake_at = state.wake_at
        if before is not None and before.wake_at is not None and wake_at is not None:
            wake_at = min(before.wake_at, wake_at)
        self.tables.flows[flow_id] = Row(
            decision.stored,
            state.status,
            state.revision,
            wake_at,
            state.priority,
            state.created_at,
            state.concurrency_key,
        )
        self.tables.journal.setdefault(flow_id, {})[decision.entry.seq] = decision


class Store:
    """Stands for `services.flow_orchestrator.store`, and for the counting of `admission`."""

    def __init__(self, catalogue: Catalogue, cap: int) -> None:
        self._catalogue = catalogue
        self._cap = cap

    def flow_type_of(self, state: FlowState) -> FlowType:
        return self._catalogue.get(state.flow_type, state.version)

    async def locked(
        self, session: Any, flow_ids: Collection[UUID], *, skip_locked: bool = False
    ) -> dict[UUID, FlowState]:
        flows = session.tables.flows
        found = {}
        for flow_id in sorted(set(flow_ids)):
            if flow_id not in flows or not await session.lock(("row", flow_id), skip_locked=skip_locked):
                continue
            if flow_id in flows:
                found[flow_id] = FlowState.load(orjson.loads(flows[flow_id].state))
        return found

    async def deleted(self, session: Any, flow_ids: Collection[UUID]) -> set[UUID]:
        return {flow_id for flow_id in flow_ids if flow_id in session.tables.deleted}

    async def checkpoint(self, session: Any, flow_id: UUID, seq: int) -> FlowState | None:
        decision = session.tables.journal.get(flow_id, {}).get(seq)
        if decision is None or not decision.entry.checkpoint:
            return None
        return FlowState.load(orjson.loads(decision.stored))

    async def save(self, session: Any, decisions: Sequence[Decision], now: datetime) -> None:
        for decision in decisions:
            await session.lock(("row", decision.state.flow_id))
            await session.lock(("journal", decision.state.flow_id, decision.entry.seq))
            if decision.entry.seq in session.tables.journal.get(decision.state.flow_id, {}):
                raise UniqueViolation(f"journal entry {decision.entry.seq} of {decision.state.flow_id}")
            self.flow_type_of(decision.state).child_row(decision.state)
        session.decisions = list(decisions)
        await Pause()

    async def room(self, session: Any, own: Collection[UUID]) -> Room:
        await session.lock("admission")
        others = [row for flow_id, row in session.tables.flows.items() if flow_id not in set(own)]
        keys = frozenset(row.concurrency_key for row in others if row.holds_key and row.concurrency_key)
        queue = any(row.status == "queued" for row in others)
        return Room(self._cap, 1, sum(row.status == "running" for row in others), keys, queue)

    async def next_in_queue(self, session: Any, own: Collection[UUID], free: int) -> list[UUID]:
        others = {flow_id: row for flow_id, row in session.tables.flows.items() if flow_id not in set(own)}
        held = {row.concurrency_key for row in others.values() if row.holds_key}
        queued = [
            (-row.priority, row.created_at, flow_id)
            for flow_id, row in others.items()
            if row.status == "queued" and row.concurrency_key not in held
        ]
        return [flow_id for *_, flow_id in sorted(queued)][:free]
