"""The state of one flow: everything `decide` needs, and what the master row stores."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.envelope import Event, Problem, Tenant
from contracts.flows import FlowStatus, FlowTypeName, FlowUpdated, PhaseView

E = TypeVar("E", bound=Event)


class FlowState(BaseModel):
    """A flow between two decisions."""

    model_config = ConfigDict(frozen=True)

    flow_id: UUID
    tenant: Tenant
    flow_type: FlowTypeName
    version: int
    revision: int = 0
    status: FlowStatus = "running"
    current_phase: str | None = None
    phases: list[PhaseView]
    results: dict[str, dict[str, Any]] = {}
    task_id: UUID | None = None
    waits_for: str | None = None
    waits_until: datetime | None = None
    problem: Problem | None = None
    parent_flow_id: UUID | None = None
    created_at: datetime

    @property
    def ended(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in ("completed", "failed", "cancelled")

    @property
    def step(self) -> str | None:
        """What replies to the current request carry: phase and attempt."""
        return None if self.current_phase is None else f"{self.current_phase}:{self.view(self.current_phase).attempt}"

    def view(self, phase: str) -> PhaseView:
        """The visible state of one phase."""
        return next(view for view in self.phases if view.name == phase)

    def with_phase(self, phase: str, **changes: Any) -> "FlowState":
        """A copy in which one phase's visible state differs."""
        views = [view.model_copy(update=changes) if view.name == phase else view for view in self.phases]
        return self.model_copy(update={"phases": views})

    def with_result(self, event: Event) -> "FlowState":
        """A copy that remembers the data of `event` under its type."""
        data = event.model_dump(mode="json", include=set(event.data_fields()))
        return self.model_copy(update={"results": {**self.results, event.type_name: data}})

    def result(self, event_class: type[E]) -> E:
        """The remembered event of a class; raises `KeyError` if there was none."""
        return event_class.model_validate({"tenant": self.tenant, **self.results[event_class.type_name]})

    def updated_event(self) -> FlowUpdated:
        """What the rest of the world may see of this state."""
        return FlowUpdated(
            tenant=self.tenant,
            flow_id=self.flow_id,
            flow_type=self.flow_type,
            revision=self.revision,
            status=self.status,
            current_phase=self.current_phase,
            phases=self.phases,
            waits_for=self.waits_for,
            waits_until=self.waits_until,
            parent_flow_id=self.parent_flow_id,
            problem=self.problem,
            created_at=self.created_at,
        )
