"""What a transaction does to flows of one tenant: decide all events in order, let queued flows begin, write once."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event, Problem
from contracts.flows import ApprovalDecided
from contracts.lifecycle import FlowControlRequested, FlowForkRequested, StartOptions
from services.flow_orchestrator import engine, store
from services.flow_orchestrator.admission import Room, holds_key, next_in_queue, room
from services.flow_orchestrator.engine import Decision, Refusal
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES, UnknownFlowType
from services.flow_orchestrator.lifecycle import fork, refusal
from services.flow_orchestrator.state import STATE_CAP_BYTES, FlowState

log = structlog.get_logger()


class ChildNotStarted(Exception):
    """A parent's order overtook its request for the child flow: it has to be tried again."""


class Batch:
    """The flows that a transaction has locked, and what was decided about them so far."""

    def __init__(
        self, session: AsyncSession, states: dict[UUID, FlowState], now: datetime, asked: Iterable[UUID] = ()
    ) -> None:
        self.states = states
        self.decisions: list[Decision] = []
        self.events: list[Event] = []
        self._session = session
        self._now = now
        self._room: Room | None = None
        self._unknown = set(asked) - states.keys()
        self._deleted: set[UUID] = set()
        # A flow that stops running makes room for a queued one.
        self._before = {flow_id: (state.status, holds_key(state)) for flow_id, state in states.items()}

    @classmethod
    async def of(cls, session: AsyncSession, flow_ids: Iterable[UUID], now: datetime) -> "Batch":
        """Lock these flows; there may be none yet of an id."""
        asked = list(flow_ids)
        return cls(session, await store.locked(session, asked), now, asked)

    async def take(self, event: Event) -> None:
        """Start the flow that the event asks for, or move the one it belongs to; what fits nothing changes nothing."""
        if event.flow_id is None:
            return
        state = self.states.get(event.flow_id)
        if state is None and await self._was_deleted(event.flow_id):
            return
        if state is None and isinstance(event, FlowControlRequested) and event.step is not None:
            raise ChildNotStarted(f"the flow {event.flow_id}, which is to {event.action}, has not started yet")
        outcome: Decision | Refusal | None
        if state is None:
            outcome = await self._begun_by(event)
        else:
            outcome = await self._decided(state, event)
            if isinstance(outcome, Decision) and (size := outcome.size) > STATE_CAP_BYTES:
                outcome = engine.overflow(store.flow_type_of(state), state, event, size, self._now)
        self.keep(outcome)

    async def _decided(self, state: FlowState, event: Event) -> Decision | Refusal | None:
        flow_type = store.flow_type_of(state)
        if isinstance(event, FlowControlRequested) and event.action == "migrate":
            try:
                flow_type = FLOW_TYPES.get(state.flow_type, event.version)
            except UnknownFlowType:
                known = ", ".join(map(str, FLOW_TYPES.versions(state.flow_type)))
                detail = f"There is no version {event.version} of {state.flow_type}; there is {known}."
                return refusal(event, Problem(code="unknown_version", detail=detail))
        return engine.decide(flow_type, state, event, self._now, room=await self._has_room(state, event))

    async def _has_room(self, state: FlowState, event: Event) -> bool:
        """Whether a flow that takes no slot may take one, where a person lets it go on."""
        goes_on = isinstance(event, ApprovalDecided) or (
            isinstance(event, FlowControlRequested) and event.action in ("resume", "retry", "skip")
        )
        if state.status not in ("waiting", "paused") or not goes_on:
            return True
        return (await self._space()).free > 0

    async def _was_deleted(self, flow_id: UUID) -> bool:
        if self._unknown:
            self._deleted |= await store.deleted(self._session, self._unknown)
            self._unknown = set()
        return flow_id in self._deleted

    def keep(self, outcome: Decision | Refusal | None) -> None:
        """Take a decision in, to be written with the others."""
        if outcome is None:
            return
        self.events += outcome.events
        if isinstance(outcome, Refusal):
            return
        self.decisions.append(outcome)
        if self._room is not None:
            before = self.states.get(outcome.state.flow_id)
            self._room.move(before, None if outcome.deleted else outcome.state)
        if outcome.deleted:
            self.states.pop(outcome.state.flow_id, None)
            self._deleted.add(outcome.state.flow_id)
        else:
            self.states[outcome.state.flow_id] = outcome.state

    def tick(self, state: FlowState) -> bool:
        """Let the clock move a flow; False where nothing is due yet."""
        decision = engine.tick(store.flow_type_of(state), state, self._now)
        self.keep(decision)
        return decision is not None

    async def finish(self) -> list[Event]:
        """Let queued flows begin where there is room, write everything, and return the events that leave with it."""
        await self._admit_queued()
        await store.save(self._session, self.decisions, self._now)
        return self.events

    async def _begun_by(self, event: Event) -> Decision | None:
        if isinstance(event, FlowForkRequested):
            return await self._forked(event)
        flow_type = FLOW_TYPES.started_by(type(event))
        if flow_type is None:
            return None
        options: StartOptions = getattr(event, "options", None) or StartOptions()
        try:
            flow_type = FLOW_TYPES.get(flow_type.name, options.version or flow_type.version)
        except UnknownFlowType as error:
            problem = Problem(code="unknown_version", detail=f"The flow was not started: {error}.")
            return engine.refuse(flow_type, event, problem, self._now)
        space = await self._space()
        admitted = space.admits(options.concurrency_key)
        decision = engine.start(flow_type, event, self._now, admitted=admitted, weight=space.weight)
        if decision.size > STATE_CAP_BYTES:
            detail = f"The request would make a state of {decision.size:,} bytes; the cap is {STATE_CAP_BYTES:,}."
            return engine.refuse(flow_type, event, Problem(code="state_too_large", detail=detail), self._now)
        return decision

    async def _forked(self, event: FlowForkRequested) -> Decision | None:
        origin = await store.checkpoint(self._session, event.origin_flow_id, event.seq)
        # The gateway has checked that it exists; it can have been deleted since.
        if origin is None:
            return None
        room = (await self._space()).free > 0
        return fork(store.flow_type_of(origin), origin, event, self._now, room=room)

    async def _space(self) -> Room:
        if self._room is None:
            self._room = await room(self._session, self.states)
            for state in self.states.values():
                self._room.move(None, state)
        return self._room

    async def _admit_queued(self) -> None:
        queued = [state for state in self.states.values() if state.status == "queued"]
        if not queued and not self._made_room():
            return
        space = await self._space()
        if not space.free:
            return
        if space.queue_elsewhere:
            elsewhere = await next_in_queue(self._session, self.states, space.free)
            self.states |= await store.locked(self._session, elsewhere, skip_locked=True)
        candidates = [state for state in self.states.values() if state.status == "queued"]
        for state in sorted(candidates, key=lambda each: (-each.priority, each.created_at)):
            if not space.admits(state.concurrency_key):
                continue
            try:
                self.keep(engine.admit(store.flow_type_of(state), state, self._now))
            except Exception:
                # A flow that cannot begin must not keep the tenant's others waiting.
                log.exception("flow_not_admitted", flow_id=str(state.flow_id))

    def _made_room(self) -> bool:
        for decision in self.decisions:
            state = decision.state
            status, held = self._before.get(state.flow_id, ("running", False))
            if (status == "running" and state.status != "running") or (held and not holds_key(state)):
                return True
        return False
