"""States as their rows hold them: written and read without loss, and those of the first release go on."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import FlowState
from tests.flow_orchestrator.run import NOW, Run, stored
from tests.flow_orchestrator.shapes import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_a_state_is_read_as_it_was_written(name: str) -> None:
    run = Run(SHAPES[name], deadline=NOW + timedelta(days=9), concurrency_key="shop", priority=-5)
    for each in run.finish().decisions:
        assert stored(each.state) == each.state


def of_the_first_release(run: Run) -> FlowState:
    """The state of a discovery as the first release stored it, read by this one."""
    state = run.state
    plain: dict[str, Any] = {
        "flow_id": str(state.flow_id),
        "tenant": state.tenant.model_dump(mode="json"),
        "flow_type": state.flow_type,
        "version": 1,
        "revision": state.revision,
        "status": state.status,
        "current_phase": state.current_phase,
        "phases": [
            {
                "name": name,
                "status": phase.status,
                "attempt": phase.attempt,
                "started_at": None if phase.started_at is None else phase.started_at.isoformat(),
                "finished_at": None if phase.finished_at is None else phase.finished_at.isoformat(),
                "summary": phase.summary,
            }
            for name, phase in state.phases.items()
        ],
        "results": state.results,
        "task_id": next((str(phase.task_id) for phase in state.phases.values() if phase.task_id), None),
        "waits_for": state.waits_for,
        "waits_until": None if state.waits_until is None else state.waits_until.isoformat(),
        "problem": state.problem,
        "parent_flow_id": None,
        "created_at": state.created_at.isoformat(),
    }
    return FlowState.load(plain)


def as_stored(run: Run) -> Run:
    """The flow as the first release left it."""
    old = Run.of(run.flow_type, run.decisions[0], run.now)
    old.decisions = [*run.decisions[:-1], replace(run.decisions[-1], state=of_the_first_release(run))]
    return old


def test_a_running_flow_of_the_first_release_goes_on() -> None:
    run = as_stored(Run(FLOW_TYPES.get("discovery")).answer("data_import"))
    assert run.refused("skip").code == "phase_not_optional"
    assert run.finish().state.status == "completed"
    assert run.asked() == ["data_import:1", "field_mapping:1", "inventory:1", "dependency_analysis:1"]


def test_a_running_flow_of_the_first_release_times_out() -> None:
    run = as_stored(Run(FLOW_TYPES.get("discovery")))
    assert run.state.wake_at == NOW + timedelta(hours=1)
    run.tick(hours=1)
    assert run.statuses["data_import"] == "backing_off"


def test_a_task_of_the_first_release_can_be_decided() -> None:
    run = Run(FLOW_TYPES.get("planning")).answer("wave_planning")
    task_id = run.task("wave_planning").task_id
    old = as_stored(run)
    assert old.task("wave_planning").task_id == task_id
    assert old.approve("wave_planning").state.active() == ["report"]


def test_a_failed_flow_of_the_first_release_is_retried_from_what_it_reached() -> None:
    run = Run(FLOW_TYPES.get("discovery")).answer("data_import").fail("field_mapping")
    old = as_stored(run)
    assert old.refused("retry", phase="inventory").code == "phase_not_reached"
    assert old.control("retry").finish().state.status == "completed"
