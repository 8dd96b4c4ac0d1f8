"""Assessment: one of the 6 Rs for every application, with its reason."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.agents import AgentResult
from contracts.discovery import PhaseReadiness, ReportInputs, Value
from contracts.envelope import BlobRef, Event, Problem
from contracts.lifecycle import StartOptions

# The six treatments, in the words of AWS's migration strategies ("6 Strategies for Migrating Applications", 2016).
SixR = Literal["rehost", "replatform", "refactor", "repurchase", "retire", "retain"]

RiskLevel = Literal["low", "medium", "high"]


class AssessmentInputs(Value):
    """What a discovery hands to an assessment."""

    assets: BlobRef
    applications: BlobRef
    dependencies: BlobRef


class AssessmentRequested(Event, type="assessment.requested"):
    """Start an assessment of what a discovery found."""

    inputs: AssessmentInputs
    report: ReportInputs
    parent_flow_id: UUID | None = None
    then: list[Literal["planning"]] = Field(default=[])
    readiness: list[PhaseReadiness] = Field(
        default=[], description="Of what the inventory is ready for; empty where nobody is to be asked about it"
    )
    options: StartOptions = StartOptions()


class AssessmentStarted(Event, type="assessment.started", public=True):
    """An assessment flow began."""


class AssessmentCompleted(Event, type="assessment.completed", public=True):
    """An assessment flow ended well."""

    application_count: int
    distribution: dict[str, int] = Field(description="Applications by treatment: rehost, retire, …")


class AssessmentFailed(Event, type="assessment.failed", public=True):
    """An assessment flow ended with a problem that a person has to solve."""

    problem: Problem


class SixRRequested(Event, type="six_r.requested"):
    """Decide a treatment for every application."""

    inputs: AssessmentInputs


class SixRCompleted(Event, type="six_r.completed"):
    """Treatments are decided; the Parquet layout is in `contracts.claim_checks`."""

    assessments: BlobRef
    application_count: int
    distribution: dict[str, int] = Field(description="Applications by treatment: rehost, retire, …")
    agent: AgentResult | None = Field(
        default=None,
        description="Of the agent that was shown what the rules were unsure about; null: no model is there",
    )
    risk_agent: AgentResult | None = Field(
        default=None, description="Of the agent that judged the risks that rules were unsure about; null: as above"
    )


class SixRFailed(Event, type="six_r.failed"):
    """Treatments could not be decided."""

    problem: Problem
