"""Assessment: one of the 6 Rs for every application."""

from dataclasses import replace
from typing import Any
from uuid import uuid5

from contracts.agent_work import AgentWork
from contracts.assessment import (
    AssessmentCompleted,
    AssessmentFailed,
    AssessmentRequested,
    AssessmentStarted,
    SixRCompleted,
    SixRFailed,
    SixRRequested,
)
from contracts.discovery import PhaseReadiness
from contracts.envelope import Event
from contracts.planning import PlanInputs, PlanningRequested
from services.flow_orchestrator.flow_type import FlowType, Phase
from services.flow_orchestrator.flows.readiness_gate import among, readiness_gate
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
        report=request.report.model_copy(update={"agents": [*request.report.agents, *_work(state)]}),
    )


def _work(state: FlowState) -> list[AgentWork]:
    """What agents did beside the rules."""
    done = state.result(SixRCompleted)
    told = (("six_r", done.agent), ("risk_assessment", done.risk_agent))
    return [result.work(step) for step, result in told if result is not None]


def _not_ready(state: FlowState) -> list[PhaseReadiness]:
    request = state.result(AssessmentRequested)
    return among(request.readiness, ["assessment", *request.then])


def _outcome(state: FlowState) -> dict[str, Any]:
    decided = state.result(SixRCompleted)
    return {"application_count": decided.application_count, "distribution": decided.distribution}


ASSESSMENT_1 = FlowType(
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
# One that a person starts asks, too, whether its data will do; what a discovery starts was asked about there.
ASSESSMENT = replace(
    ASSESSMENT_1,
    version=2,
    phases=(Phase(name="readiness", gate=readiness_gate(_not_ready)), *ASSESSMENT_1.phases),
    migrations={1: lambda state: state},
)
