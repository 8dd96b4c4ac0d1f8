"""Assessment: one of the 6 Rs for every application."""

from typing import Any
from uuid import uuid5

from contracts.assessment import (
    AssessmentCompleted,
    AssessmentFailed,
    AssessmentRequested,
    AssessmentStarted,
    SixRCompleted,
    SixRFailed,
    SixRRequested,
)
from contracts.envelope import Event
from contracts.planning import PlanInputs, PlanningRequested
from services.flow_orchestrator.flow_type import FlowType, Phase
from services.flow_orchestrator.state import FlowState


def _planning(state: FlowState) -> Event | None:
    request = state.result(AssessmentRequested)
    if "planning" not in request.then:
        return None
    return PlanningRequested(
        tenant=state.tenant,
        flow_id=uuid5(state.flow_id, "planning"),
        parent_flow_id=state.flow_id,
        inputs=PlanInputs(
            assets=request.inputs.assets,
            applications=request.inputs.applications,
            dependencies=request.inputs.dependencies,
            assessments=state.result(SixRCompleted).assessments,
        ),
        report=request.report,
    )


def _outcome(state: FlowState) -> dict[str, Any]:
    decided = state.result(SixRCompleted)
    return {"application_count": decided.application_count, "distribution": decided.distribution}


ASSESSMENT = FlowType(
    name="assessment",
    version=1,
    requested=AssessmentRequested,
    started=AssessmentStarted,
    completed=AssessmentCompleted,
    failed=AssessmentFailed,
    phases=(
        Phase(
            name="six_r",
            asks=SixRRequested,
            awaits=SixRCompleted,
            fails_with=SixRFailed,
            request=lambda state: {"inputs": state.result(AssessmentRequested).inputs},
            summary=lambda done: {"applications": done.application_count, **done.distribution},
        ),
    ),
    announce=lambda state: {},
    outcome=_outcome,
    child_row=lambda state: _outcome(state) if state.has_result(SixRCompleted) else {},
    next_flow=_planning,
    may_start=(PlanningRequested,),
)
