"""What the REST interface takes and gives about starting, controlling, tracing and finding flows."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Discriminator, Field, RootModel, Tag

from contracts.envelope import Problem
from contracts.lifecycle import FlowRepair, StartOptions
from contracts.planning import WaveLimits
from contracts.rest import FlowDetail, FlowView, View


class DiscoveryStart(View):
    """A discovery of uploaded files."""

    flow_type: Literal["discovery"] = "discovery"
    import_ids: list[UUID] = Field(min_length=1, max_length=50)
    then: list[Literal["assessment", "planning"]] = Field(
        default=["assessment", "planning"], description="Flows to run afterwards, in order"
    )
    options: StartOptions = StartOptions()


class AssessmentStart(View):
    """A new assessment of what a completed discovery found."""

    flow_type: Literal["assessment"]
    discovery_flow_id: UUID
    then: list[Literal["planning"]] = Field(default=["planning"], description="Flows to run afterwards, in order")
    options: StartOptions = StartOptions()


class PlanningStart(View):
    """A new plan from a completed assessment."""

    flow_type: Literal["planning"]
    assessment_flow_id: UUID
    limits: WaveLimits = WaveLimits()
    options: StartOptions = StartOptions()


class CollectionStart(View):
    """Ask for what the inventory of a discovery lacks."""

    flow_type: Literal["collection"]
    discovery_flow_id: UUID
    fields: list[str] = Field(default=[], description="Ids of canonical fields; empty: whatever is missing")
    options: StartOptions = StartOptions()


class ModernizationStart(View):
    """Bring a repository up to date."""

    flow_type: Literal["modernization"]
    repository_url: str = Field(min_length=1, max_length=2000)
    branch: str = Field(default="main", min_length=1, max_length=200)
    goals: list[str] = Field(default=[], max_length=50, description="What to reach, in words, such as 'Python 3.13'")
    options: StartOptions = StartOptions()


AnyStart = DiscoveryStart | AssessmentStart | PlanningStart | CollectionStart | ModernizationStart


def _flow_type(body: Any) -> Any:
    return body.get("flow_type", "discovery") if isinstance(body, dict) else getattr(body, "flow_type", None)


class FlowStart(
    RootModel[
        Annotated[
            Annotated[DiscoveryStart, Tag("discovery")]
            | Annotated[AssessmentStart, Tag("assessment")]
            | Annotated[PlanningStart, Tag("planning")]
            | Annotated[CollectionStart, Tag("collection")]
            | Annotated[ModernizationStart, Tag("modernization")],
            Discriminator(_flow_type),
        ]
    ]
):
    """Which flow to start, on what, and how; `flow_type` says which of these it is, a discovery if it is left out."""


class FlowControlBody(View):
    """What an action on a flow may say beside its name."""

    phase: str | None = Field(
        default=None, max_length=200, description="For retry and skip; absent: the phase that failed or waits"
    )
    version: int | None = Field(default=None, ge=1, description="For migrate; absent: the newest version")
    comment: str | None = Field(default=None, max_length=2000, description="Kept in the flow's history")


class FlowForkBody(View):
    """Where a new flow begins."""

    seq: int = Field(ge=1, description="`seq` of an entry of the timeline that is a checkpoint")


class FlowAccepted(FlowDetail):
    """The flow as it stands now; what was asked takes effect in a moment."""

    request_id: UUID = Field(description="GET /flows/{flow_id}/requests/{request_id} says what became of it")


class FlowRequestView(View):
    """What became of something that was asked of a flow."""

    request_id: UUID
    status: Literal["pending", "done", "refused"]
    note: str | None = Field(default=None, description="What was done")
    problem: Problem | None = Field(default=None, description="Why it was refused; the flow stayed as it was")


class TimelineItem(View):
    """Something that happened to a flow, or that was asked of it and refused."""

    seq: int = Field(description="Number of the decision; of a refusal, that of the decision before it")
    at: datetime
    cause: str = Field(description="Type of the event that was decided on, or `clock`")
    actor: str | None = Field(description="Who caused it, where it was a person")
    phase: str | None
    status: str = Field(description="Of the flow, afterwards")
    note: str
    checkpoint: bool = Field(description="Whether a new flow can be forked from here")
    waits_for: str | None = Field(description="What the flow waited for from then on")
    waits_until: datetime | None
    refused: bool = Field(default=False, description="Nothing changed: what was asked was not possible")


class FlowMatch(View):
    """A flow that was found, and why."""

    flow: FlowView
    reasons: list[str] = Field(description="One sentence for each thing that matched, at most 5")


class FlowMatches(View):
    """What a search found, newest flow first."""

    items: list[FlowMatch]
    complete: bool = Field(description="False if there may be more: then say more of what you look for")


class FlowRepairBody(View):
    """Which flows to look at."""

    flow_id: UUID | None = Field(default=None, description="Only this one; else all of the engagement")


class FlowRepairView(View):
    """What a repair found and did."""

    repair_id: UUID
    status: Literal["running", "done"]
    flow_id: UUID | None = None
    flows_checked: int | None = None
    repairs: list[FlowRepair] = Field(default=[])
