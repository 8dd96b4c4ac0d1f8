"""How good an inventory is, in detail, and what it is good enough for."""

from pydantic import Field

from contracts.discovery import PhaseReadiness, QualityReport
from contracts.envelope import BlobRef, Event, Problem


class QualityRequested(Event, type="quality.requested"):
    """Measure the inventory of a discovery in detail."""

    assets: BlobRef
    quality: QualityReport
    applications: BlobRef | None = Field(default=None, description="The application list, which tells of assets, too")


class QualityCompleted(Event, type="quality.completed"):
    """The figures, what is behind them, and what the inventory is ready for."""

    figures: BlobRef
    failures: BlobRef
    readiness: list[PhaseReadiness]


class QualityFailed(Event, type="quality.failed"):
    """The inventory could not be measured."""

    problem: Problem
