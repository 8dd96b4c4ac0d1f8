"""What the phases need that wait for data that is ready, and why."""

from fastapi import APIRouter

from contracts.configuration import READINESS_GATE, READINESS_THRESHOLDS
from contracts.readiness import FIGURES, NEEDS, needs_of
from contracts.rest_quality import NeedsView, NeedView, PhaseNeedsView
from services.chassis.configuration import configured
from services.gateway.handlers import service
from services.gateway.principal import Caller
from services.gateway.routes.access import Reading

router = APIRouter(tags=["quality"])


@router.get("/readiness")
async def show_needs(caller: Caller, session: Reading) -> NeedsView:
    """What each phase needs of an inventory, and why; the configuration `readiness_thresholds` changes it."""
    asks = await configured(session, service.metadata, caller.tenant, READINESS_GATE)
    thresholds = await configured(session, service.metadata, caller.tenant, READINESS_THRESHOLDS)
    ours = {phase: {need.figure: need.share for need in needs} for phase, needs in NEEDS.items()}
    phases = [
        PhaseNeedsView(
            phase=phase,
            needs=[
                NeedView(
                    figure=need.figure,
                    label=FIGURES[need.figure],
                    share=need.share,
                    by_default=ours[phase].get(need.figure),
                    reason=need.reason,
                )
                for need in needs_of(phase, thresholds)
            ],
        )
        for phase in NEEDS
    ]
    return NeedsView(asks=asks, phases=phases)
