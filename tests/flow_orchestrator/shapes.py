"""Small flow types of every shape, made of agent tasks, so that a test says only what is special about its own."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskFailed, AgentTaskRequested
from contracts.lifecycle import ChildFlowEnded
from contracts.modernization import (
    ModernizationCompleted,
    ModernizationFailed,
    ModernizationRequested,
    ModernizationStarted,
)
from contracts.planning import PlanningFailed, PlanningRequested
from services.flow_orchestrator.flow_type import END, Choice, FlowType, Gate, Parallel, Phase, Retry
from services.flow_orchestrator.flows.agent_phase import outputs
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import FlowState
from tests.flow_orchestrator.answers import PLAN_INPUTS, REPORT

# A failure that is worth another attempt.
BUSY = "busy"
STEADY = Retry(codes=frozenset({BUSY}))


def task(name: str, **routes: Any) -> Phase:
    """A phase that a worker does."""
    return Phase(
        name=name,
        asks=AgentTaskRequested,
        awaits=AgentTaskCompleted,
        fails_with=AgentTaskFailed,
        request=lambda state: {"task": name, "inputs": {"known": sorted(state.results)}},
        summary=lambda done: {"outputs": len(done.outputs)},
        **{"retry": STEADY, **routes},
    )


def decided(name: str, **routes: Any) -> Phase:
    """A phase that only a person does."""
    return Phase(name=name, gate=a_gate(name), **routes)


def a_gate(name: str, **changes: Any) -> Gate:
    return Gate(kind="change_plan", title=f"the decision on {name}", **changes)


def child(name: str, **routes: Any) -> Phase:
    """A phase that is a flow of its own."""
    return Phase(
        name=name,
        asks=PlanningRequested,
        awaits=ChildFlowEnded,
        fails_with=PlanningFailed,
        request=lambda state: {"inputs": PLAN_INPUTS, "report": REPORT},
        summary=lambda done: {"waves": done.outcome.get("wave_count")},
        **routes,
    )


def flow(*phases: Phase, version: int = 1, **changes: Any) -> FlowType:
    return FlowType(
        name="shape",
        version=version,
        requested=ModernizationRequested,
        started=ModernizationStarted,
        completed=ModernizationCompleted,
        failed=ModernizationFailed,
        phases=phases,
        announce=lambda state: {"repository_url": state.result(ModernizationRequested).repository_url},
        outcome=lambda state: {"pull_request_url": ""},
        **changes,
    )


def says(phase: str, what: str) -> Any:
    """A condition: the task put this out, and it is true."""

    def holds(state: FlowState) -> bool:
        return state.has_result(AgentTaskCompleted, phase) and bool(outputs(state, phase).get(what))

    return holds


def with_workers(name: str) -> FlowType:
    """A flow type of the catalogue as it will be once the workers that it lacks exist."""
    flow_type = FLOW_TYPES.get(name)
    return replace(flow_type, phases=tuple(replace(phase, missing_worker=None) for phase in flow_type.phases))


LINE = flow(task("first"), task("second", gate=a_gate("second"), optional=True), task("third"))
ROUTES = flow(
    task("look", then=Choice(((says("look", "small"), "quick"), (says("look", "large"), "slow")), otherwise=END)),
    task("quick", then=END),
    task("slow"),
)
DIAMOND = flow(
    task("split", then=Parallel(("left", "right"), join="merge")),
    task("left", then="left_end"),
    task("left_end", then="merge", gate=a_gate("left_end"), optional=True),
    task("right", then="merge", optional=True),
    task("merge"),
)
NESTED = flow(
    task("split", then=Parallel(("deep", "plain", "asked"), join="merge")),
    task("deep", then=Parallel(("deep_one", "deep_two"), join="deep_end")),
    task("deep_one", then="deep_end"),
    task("deep_two", then="deep_end"),
    task("deep_end", then="merge"),
    task("plain", then="merge"),
    decided("asked", then="merge", optional=True),
    task("merge"),
)
LOOP = flow(
    task("prepare"),
    task(
        "check",
        max_rounds=3,
        exhausted="review",
        then=Choice(((says("check", "passed"), "publish"),), otherwise="mend"),
    ),
    task("mend", then="check"),
    decided("review"),
    task("publish"),
)
ENDLESS = flow(
    task("check", max_rounds=2, then=Choice(((says("check", "passed"), END),), otherwise="mend")),
    task("mend", then="check"),
)
LOOPED_DIAMOND = flow(
    task("change", max_rounds=2, exhausted="look", then=Parallel(("tests", "review"), join="verdict")),
    task("tests", then="verdict"),
    task("review", then="verdict"),
    task("verdict", then=Choice(((says("verdict", "passed"), END),), otherwise="change")),
    decided("look", then=END),
)
PARENT = flow(task("before"), child("inner", time_out=timedelta(days=7)), task("after"))
SHAPES = {
    "line": LINE,
    "routes": ROUTES,
    "diamond": DIAMOND,
    "nested": NESTED,
    "loop": LOOP,
    "endless": ENDLESS,
    "looped_diamond": LOOPED_DIAMOND,
    "parent": PARENT,
    **{name: with_workers(name) for name in ("collection", "discovery", "assessment", "planning", "modernization")},
}
