"""Modernization: understand a repository, plan its changes, make them, test and review at once, open a pull request."""

from functools import partial

from contracts.modernization import (
    ModernizationCompleted,
    ModernizationFailed,
    ModernizationRequested,
    ModernizationStarted,
)
from services.flow_orchestrator.flow_type import END, Choice, FlowType, Gate, Parallel
from services.flow_orchestrator.flows.agent_phase import agent_phase, outputs
from services.flow_orchestrator.state import FlowState

_WORKER = "agents that have its capability"


_task = partial(agent_phase, missing_worker=_WORKER)


def _good(state: FlowState) -> bool:
    return bool(outputs(state, "tests").get("passed")) and bool(outputs(state, "review").get("passed"))


MODERNIZATION = FlowType(
    name="modernization",
    version=1,
    requested=ModernizationRequested,
    started=ModernizationStarted,
    completed=ModernizationCompleted,
    failed=ModernizationFailed,
    phases=(
        _task("repository_scan", ModernizationRequested),
        _task(
            "change_plan",
            ModernizationRequested,
            "repository_scan",
            gate=Gate(
                kind="change_plan",
                title="the plan of changes",
                details=lambda state: outputs(state, "change_plan"),
            ),
        ),
        _task(
            "code_change",
            ModernizationRequested,
            "change_plan",
            "tests",
            "review",
            max_rounds=3,
            then=Parallel(("tests", "review"), join="verdict"),
        ),
        _task("tests", ModernizationRequested, "code_change", then="verdict"),
        _task("review", ModernizationRequested, "code_change", then="verdict"),
        _task(
            "verdict",
            ModernizationRequested,
            "tests",
            "review",
            then=Choice(((_good, "pull_request"),), otherwise="code_change"),
        ),
        _task("pull_request", ModernizationRequested, "code_change", "verdict", then=END),
    ),
    announce=lambda state: {"repository_url": state.result(ModernizationRequested).repository_url},
    outcome=lambda state: {"pull_request_url": str(outputs(state, "pull_request").get("url", ""))},
    child_row=lambda state: {"repository_url": state.result(ModernizationRequested).repository_url},
)
