"""Planning: waves, a person's approval of them, and the report."""

from dataclasses import replace
from typing import Any

from contracts.discovery import PhaseReadiness
from contracts.flows import ApprovalDecided
from contracts.planning import (
    PlanningCompleted,
    PlanningFailed,
    PlanningRequested,
    PlanningStarted,
    ReportCompleted,
    ReportFailed,
    ReportRequested,
    WavePlanningCompleted,
    WavePlanningFailed,
    WavePlanningRequested,
)
from services.flow_orchestrator.flow_type import FlowType, Gate, Phase
from services.flow_orchestrator.flows.readiness_gate import among, readiness_gate
from services.flow_orchestrator.state import FlowState


def _plan_for_approval(state: FlowState) -> dict[str, Any]:
    planned = state.result(WavePlanningCompleted)
    return {"waves": [wave.model_dump(mode="json") for wave in planned.waves], "unplanned": planned.unplanned}


def _approved(state: FlowState, decision: ApprovalDecided) -> FlowState:
    return state


def _report_request(state: FlowState) -> dict[str, Any]:
    request, planned = state.result(PlanningRequested), state.result(WavePlanningCompleted)
    work = [] if planned.agent is None else [planned.agent.work("wave_planning")]
    return {
        "inputs": request.inputs,
        "report": request.report.model_copy(update={"agents": [*request.report.agents, *work]}),
        "plan": planned.plan,
        "waves": planned.waves,
        "unplanned": planned.unplanned,
    }


def _outcome(state: FlowState) -> dict[str, Any]:
    waves = state.result(WavePlanningCompleted).waves
    return {"wave_count": len(waves), "application_count": sum(len(wave.application_ids) for wave in waves)}


def _not_ready(state: FlowState) -> list[PhaseReadiness]:
    return among(state.result(PlanningRequested).readiness, ["planning"])


PLANNING_1 = FlowType(
    name="planning",
    version=1,
    requested=PlanningRequested,
    started=PlanningStarted,
    completed=PlanningCompleted,
    failed=PlanningFailed,
    phases=(
        Phase(
            name="wave_planning",
            asks=WavePlanningRequested,
            awaits=WavePlanningCompleted,
            fails_with=WavePlanningFailed,
            request=lambda state: {
                "inputs": state.result(PlanningRequested).inputs,
                "limits": state.result(PlanningRequested).limits,
            },
            summary=lambda done: {
                "waves": len(done.waves),
                "applications": sum(len(wave.application_ids) for wave in done.waves),
                **{f"not_moved_{treatment}": count for treatment, count in done.unplanned.items()},
            },
            gate=Gate(
                kind="wave_plan",
                title="the wave plan",
                needed=lambda state: True,
                details=_plan_for_approval,
                apply=_approved,
            ),
        ),
        Phase(
            name="report",
            asks=ReportRequested,
            awaits=ReportCompleted,
            fails_with=ReportFailed,
            request=_report_request,
            summary=lambda done: {"files": len(done.files)},
        ),
    ),
    announce=lambda state: {},
    outcome=_outcome,
    child_row=lambda state: _outcome(state) if state.has_result(WavePlanningCompleted) else {},
)
# One that a person starts asks, too, whether its data will do.
PLANNING = replace(
    PLANNING_1,
    version=2,
    phases=(Phase(name="readiness", gate=readiness_gate(_not_ready)), *PLANNING_1.phases),
    migrations={1: lambda state: state},
)
