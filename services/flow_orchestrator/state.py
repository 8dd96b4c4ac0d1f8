"""The state of one flow: everything `decide` needs, and what the master row stores.

It is capped at 4 MiB (we began with 256 KB: the profile of an export with 200 columns is larger). What would exceed
it fails the flow and names the event.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

import orjson

from contracts.envelope import Event, Tenant
from contracts.flows import FlowUpdated, TimelineEntry

E = TypeVar("E", bound=Event)

ENDED = ("completed", "failed", "cancelled")
# What is being done, or waited for, at this moment.
ACTIVE = ("running", "backing_off", "waiting")
# A larger state makes every step of its flow slow; big data belongs into a blob with a reference to it. The profile
# of one column takes up to 2 KB, so this holds exports of some 2,000 columns.
STATE_CAP_BYTES = 4 * 1024**2


@dataclass(slots=True)
class PhaseState:
    """One phase of one flow. `attempt` never repeats, `tries` begins anew with every round."""

    status: str = "pending"
    attempt: int = 0
    tries: int = 0
    rounds: int = 0
    due: datetime | None = None
    remind_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    task_id: UUID | None = None
    child_flow_id: UUID | None = None
    problem: dict[str, Any] | None = None
    summary: dict[str, Any] = field(default_factory=dict)

    def copy(self) -> "PhaseState":
        """A copy that can change on its own; `summary` and `problem` are never changed in place."""
        return PhaseState(*_PHASE_VALUES(self))

    def dump(self) -> dict[str, Any]:
        """What differs from a phase that was not begun."""
        if self.status == "pending" and not self.attempt:
            return {"status": "pending"}
        return {name: value for name, value in zip(_PHASE_FIELDS, _PHASE_VALUES(self), strict=True) if value}


_PHASE_FIELDS = tuple(each.name for each in fields(PhaseState))
_PHASE_VALUES = attrgetter(*_PHASE_FIELDS)


@dataclass(kw_only=True)
class FlowState:
    """A flow between two decisions. The engine never changes one that it was given: it decides on a copy."""

    flow_id: UUID
    tenant: Tenant
    flow_type: str
    version: int
    created_at: datetime
    revision: int = 0
    status: str = "running"
    current_phase: str | None = None
    phases: dict[str, PhaseState]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrived: dict[str, list[str]] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    waits_for: str | None = None
    waits_until: datetime | None = None
    wake_at: datetime | None = None
    paused_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    start_at: datetime | None = None
    deadline: datetime | None = None
    priority: int = 0
    weight: int = 1
    concurrency_key: str | None = None
    correlation_id: str | None = None
    problem: dict[str, Any] | None = None
    parent_flow_id: UUID | None = None
    parent_step: str | None = None
    forked_from: UUID | None = None

    @property
    def ended(self) -> bool:
        """Whether it came to an end; only a retry or a fork leads on from there."""
        return self.status in ENDED

    @property
    def begun(self) -> bool:
        """Whether a first phase was begun."""
        return self.started_at is not None

    def active(self) -> list[str]:
        """The phases that run or wait, in the order of the definition."""
        return [name for name, phase in self.phases.items() if phase.status in ACTIVE]

    def step(self, phase: str) -> str:
        """What the replies to a phase's current request carry: its name and attempt."""
        return f"{phase}:{self.phases[phase].attempt}"

    def copy(self) -> "FlowState":
        """A copy whose phases, results and lists can change on their own."""
        state = FlowState.__new__(FlowState)
        # A tenth of what `dataclasses.replace` takes, on the path of every event.
        state.__dict__ = {
            **self.__dict__,
            "phases": {name: phase.copy() for name, phase in self.phases.items()},
            "results": dict(self.results),
            "arrived": {join: list(starts) for join, starts in self.arrived.items()},
            "held": list(self.held),
        }
        return state

    def with_result(self, event: Event, phase: str | None = None) -> "FlowState":
        """A copy that remembers the data of `event`, of the one phase named if several await its type."""
        state = self.copy()
        state.remember(event, phase)
        return state

    def remember(self, event: Event, phase: str | None = None) -> None:
        """Keep the data of `event`, in place: for a copy that is being made ready."""
        key = event.type_name if phase is None else f"{event.type_name}:{phase}"
        self.results[key] = event.model_dump(mode="json", include=set(event.data_fields()))

    def has_result(self, event_class: type[Event], phase: str | None = None) -> bool:
        """Whether an event of this class is remembered."""
        return (event_class.type_name if phase is None else f"{event_class.type_name}:{phase}") in self.results

    def result(self, event_class: type[E], phase: str | None = None) -> E:
        """The remembered event of a class; raises `KeyError` if there was none."""
        key = event_class.type_name if phase is None else f"{event_class.type_name}:{phase}"
        return event_class.model_validate({"tenant": self.tenant, **self.results[key]})

    def updated_event(self, entry: TimelineEntry, causation_id: UUID | None) -> FlowUpdated:
        """What the rest of the world may see of this state."""
        return FlowUpdated(
            tenant=self.tenant,
            flow_id=self.flow_id,
            causation_id=causation_id,
            flow_type=self.flow_type,
            revision=self.revision,
            status=self.status,
            current_phase=self.current_phase,
            phases=[{"name": name, **phase.dump()} for name, phase in self.phases.items()],
            waits_for=self.waits_for,
            waits_until=self.waits_until,
            parent_flow_id=self.parent_flow_id,
            problem=self.problem,
            created_at=self.created_at,
            version=self.version,
            priority=self.priority,
            started_at=self.started_at,
            ended_at=self.ended_at,
            deadline=self.deadline,
            concurrency_key=self.concurrency_key,
            correlation_id=self.correlation_id,
            forked_from=self.forked_from,
            entry=entry,
        )

    def dump(self) -> str:
        """The state as JSON, for its row; what is as it is by default is left out."""
        values = {name: value for name in _OWN if (value := getattr(self, name)) or value == 0}
        values["phases"] = {name: phase.dump() for name, phase in self.phases.items()}
        values["tenant"] = self.tenant.model_dump()
        return orjson.dumps(values).decode()

    @classmethod
    def load(cls, stored: dict[str, Any]) -> "FlowState":
        """The state as it was dumped."""
        if isinstance(stored["phases"], list):
            stored = _from_first_format(stored)
        values = _typed(stored, _STATE_TIMES, _STATE_IDS)
        values["tenant"] = Tenant.model_validate(stored["tenant"])
        values["phases"] = {
            name: PhaseState(**_typed(phase, _PHASE_TIMES, _PHASE_IDS)) for name, phase in stored["phases"].items()
        }
        return cls(**values)


def _names(kind: type, of: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.type in (of, of | None))


_OWN = tuple(each.name for each in fields(FlowState) if each.name not in ("phases", "tenant"))
_STATE_TIMES, _STATE_IDS = _names(FlowState, datetime), _names(FlowState, UUID)
_PHASE_TIMES, _PHASE_IDS = _names(PhaseState, datetime), _names(PhaseState, UUID)


def _typed(stored: dict[str, Any], times: tuple[str, ...], ids: tuple[str, ...]) -> dict[str, Any]:
    """JSON's strings as the times and ids that they stand for."""
    values = dict(stored)
    for name in times:
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    for name in ids:
        if name in values:
            values[name] = UUID(values[name])
    return values


def _from_first_format(stored: dict[str, Any]) -> dict[str, Any]:
    """A state of the first release, whose phases were a list and whose one task stood beside them."""
    task_id, current = stored.pop("task_id", None), stored["current_phase"]
    phases = {
        phase.pop("name"): {**phase, "tries": phase["attempt"], "rounds": min(phase["attempt"], 1)}
        for phase in stored["phases"]
    }
    if current is not None and stored["status"] in ("running", "waiting"):
        phases[current] |= {"due": stored["waits_until"], "task_id": task_id}
    stored = {**stored, "wake_at": stored["waits_until"]}
    known = {name: value for name, value in stored.items() if value is not None}
    phases = {name: {k: v for k, v in phase.items() if v is not None} for name, phase in phases.items()}
    return {**known, "phases": phases, "started_at": stored["created_at"]}
