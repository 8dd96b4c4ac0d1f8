"""Planning: waves of move groups, and the report a manager opens."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.agents import AgentResult
from contracts.discovery import PhaseReadiness, ReportInputs, Value
from contracts.envelope import BlobRef, Event, Problem
from contracts.lifecycle import StartOptions

ReportFormat = Literal["html", "xlsx", "json"]


class PlanInputs(Value):
    """What a discovery and an assessment hand to planning."""

    assets: BlobRef
    applications: BlobRef
    dependencies: BlobRef
    assessments: BlobRef


class WaveLimits(Value):
    """How large a wave may get; a move group larger than this is a wave of its own."""

    max_assets: int = Field(default=60, ge=1)
    pilot_assets: int = Field(default=15, ge=1)


class Wave(Value):
    """One wave of the plan: move groups that go together, and why."""

    number: int = Field(ge=1)
    name: str
    application_ids: list[UUID]
    application_names: list[str]
    asset_count: int
    risk: float = Field(ge=0, le=1)
    move_groups: int
    reason: str
    suggestions: list[str] = Field(default=[], description="What an agent's model would change of it, and why")
    risks: list[str] = Field(default=[], description="What drives the risks of its riskiest applications")


class PlanningRequested(Event, type="planning.requested"):
    """Start planning from what was discovered and assessed."""

    inputs: PlanInputs
    report: ReportInputs
    limits: WaveLimits = WaveLimits()
    readiness: list[PhaseReadiness] = Field(
        default=[], description="Of what the inventory is ready for; empty where nobody is to be asked about it"
    )
    parent_flow_id: UUID | None = None
    options: StartOptions = StartOptions()


class PlanningStarted(Event, type="planning.started", public=True):
    """A planning flow began."""


class PlanningCompleted(Event, type="planning.completed", public=True):
    """A planning flow ended well: the plan is approved and its report written."""

    wave_count: int
    application_count: int


class PlanningFailed(Event, type="planning.failed", public=True):
    """A planning flow ended with a problem that a person has to solve."""

    problem: Problem


class WavePlanningRequested(Event, type="wave_planning.requested"):
    """Order the applications into waves."""

    inputs: PlanInputs
    limits: WaveLimits


class WavePlanningCompleted(Event, type="wave_planning.completed"):
    """The waves, pilot first; `plan` is the Parquet that `contracts.claim_checks` describes."""

    plan: BlobRef
    waves: list[Wave]
    unplanned: dict[str, int] = Field(description="Applications that no wave moves, by treatment (retire, retain)")
    agent: AgentResult | None = Field(
        default=None,
        description="Of the agent that was shown what the rules were unsure about; null: no model is there",
    )


class WavePlanningFailed(Event, type="wave_planning.failed"):
    """No wave plan could be made."""

    problem: Problem


class ReportRequested(Event, type="report.requested"):
    """Write the report of an approved plan."""

    inputs: PlanInputs
    report: ReportInputs
    plan: BlobRef
    waves: list[Wave]
    unplanned: dict[str, int]


class ReportCompleted(Event, type="report.completed"):
    """The report is stored, one file a format."""

    files: dict[str, BlobRef] = Field(description="By format: html, xlsx, json, …")


class ReportFailed(Event, type="report.failed"):
    """The report could not be written."""

    problem: Problem
