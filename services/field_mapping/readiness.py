"""Whether an inventory is good enough for the phases that follow: which figure is too low, and what to do about it."""

from dataclasses import dataclass

from contracts.catalog import CATALOG
from contracts.discovery import QualityReport
from contracts.quality import PhaseReadiness, ReadinessFailure


@dataclass(frozen=True)
class Need:
    """A share that a phase needs of one field, 0 to 1, and what it is for."""

    field: str
    share: float
    purpose: str


# Below these the phase still runs and says more often that it does not know. Our figures.
NEEDS: dict[str, tuple[Need, ...]] = {
    "assessment": (
        Need("operating_system", 0.8, "Whether a system is out of support decides most treatments."),
        Need("environment", 0.6, "Production is treated with more care than test."),
        Need("application_name", 0.5, "Treatments are given to applications; assets of none stand for themselves."),
        Need("lifecycle_status", 0.3, "What is retired need not move."),
    ),
    "planning": (
        Need("cpu_cores", 0.8, "Waves are sized by what moves."),
        Need("memory_gb", 0.8, "Waves are sized by what moves."),
        Need("storage_gb", 0.7, "How long a move takes depends on its data."),
        Need("application_name", 0.6, "Applications that belong together move together."),
        Need("criticality", 0.4, "What is critical does not move first."),
    ),
}
MOST_REJECTED, LEAST_VALID = 0.1, 0.95


def readiness(quality: QualityReport) -> list[PhaseReadiness]:
    """For each phase what fails of the figures that it needs."""
    completeness = {field.field: field.completeness for field in quality.fields}
    general = _general(quality)
    found = []
    for phase, needs in NEEDS.items():
        low = [
            ReadinessFailure(
                figure=f"completeness of {CATALOG[need.field].label}",
                value=completeness.get(need.field, 0.0),
                needed=need.share,
                advice=f"{need.purpose} Map a column to {CATALOG[need.field].label}, or import a file that has it.",
            )
            for need in needs
            if completeness.get(need.field, 0.0) < need.share
        ]
        found.append(PhaseReadiness(phase=phase, ready=not (low or general), failures=[*general, *low]))
    return found


def _general(quality: QualityReport) -> list[ReadinessFailure]:
    """What is too low for every phase."""
    used = 1 - quality.rows_rejected / quality.rows_read if quality.rows_read else 1.0
    found = []
    if used < 1 - MOST_REJECTED:
        advice = "Look at the rejected rows: most often the column of the host name is mapped to something else."
        found.append(
            ReadinessFailure(figure="rows that could be used", value=used, needed=1 - MOST_REJECTED, advice=advice)
        )
    if quality.validity < LEAST_VALID:
        advice = "Look at the cell problems: most often a column has another unit, or means another field."
        found.append(
            ReadinessFailure(
                figure="cells that could be read", value=quality.validity, needed=LEAST_VALID, advice=advice
            )
        )
    return found
