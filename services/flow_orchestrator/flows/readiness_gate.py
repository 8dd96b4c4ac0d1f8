"""The gate before phases whose data is not ready: what is missing, how much of it, and where to look."""

from collections.abc import Callable, Sequence

from contracts.discovery import PhaseReadiness
from services.flow_orchestrator.flow_type import Gate
from services.flow_orchestrator.state import FlowState


def readiness_gate(not_ready: Callable[[FlowState], Sequence[PhaseReadiness]]) -> Gate:
    """Asks a person where `not_ready` finds phases: to go on regardless and say why, to retry, or to reject."""
    return Gate(
        kind="readiness",
        title="data that is not ready for what follows",
        needed=lambda state: bool(not_ready(state)),
        details=lambda state: {"phases": [phase.model_dump(mode="json") for phase in not_ready(state)]},
    )


def among(readiness: Sequence[PhaseReadiness], phases: Sequence[str]) -> list[PhaseReadiness]:
    """Those of these phases that are not ready."""
    return [each for each in readiness if each.phase in phases and not each.ready]
