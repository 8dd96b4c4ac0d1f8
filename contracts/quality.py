"""How good an inventory is, in detail, and what it is good enough for."""

from pydantic import Field

from contracts.discovery import QualityReport, Value
from contracts.envelope import BlobRef, Event, Problem


class ReadinessFailure(Value):
    """A figure that is too low for a phase."""

    figure: str
    value: float = Field(ge=0, le=1)
    needed: float = Field(ge=0, le=1)
    advice: str = Field(description="What it is for, and what to do")


class PhaseReadiness(Value):
    """Whether an inventory is good enough for a phase."""

    phase: str = Field(description="An open set: assessment, planning")
    ready: bool
    failures: list[ReadinessFailure]


class QualityRequested(Event, type="quality.requested"):
    """Measure the inventory of a discovery in detail."""

    assets: BlobRef
    quality: QualityReport


class QualityCompleted(Event, type="quality.completed"):
    """The figures, what is behind them, and what the inventory is ready for."""

    figures: BlobRef
    failures: BlobRef
    readiness: list[PhaseReadiness]


class QualityFailed(Event, type="quality.failed"):
    """The inventory could not be measured."""

    problem: Problem
