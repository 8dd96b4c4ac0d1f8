"""What can be asked of a flow as it is shown: a pure function of its status and phases."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import uuid7
from contracts.flows import PhaseView
from contracts.lifecycle import LEGAL_ACTIONS, FlowAction, FlowStatus
from contracts.rest import FlowView
from contracts.rest_flows import FlowControlBody
from services.chassis.errors import Conflict, ExpectedFailure
from services.gateway.read_model.transitions import NotTakenYet, check_action, possible_actions

ACTIONS: tuple[FlowAction, ...] = get_args(FlowAction)
STATUSES: tuple[FlowStatus, ...] = get_args(FlowStatus)
PHASES = [PhaseView(name="data_import", status="completed", attempt=1), PhaseView(name="inventory", status="pending")]


def flow(status: FlowStatus, revision: int = 3) -> FlowView:
    now = datetime.now(UTC)
    nothing = {"current_phase": None, "waits_for": None, "waits_until": None, "problem": None, "parent_flow_id": None}
    return FlowView.model_validate(
        {"flow_id": uuid7(), "flow_type": "discovery", "status": status, "revision": revision, "phases": PHASES}
        | {**nothing, "created_at": now, "updated_at": now}
    )


@given(st.sampled_from(STATUSES), st.sampled_from(ACTIONS))
def test_what_is_legal_passes_and_what_is_not_is_told_with_what_is(status: FlowStatus, action: FlowAction) -> None:
    if action in LEGAL_ACTIONS[status]:
        check_action(flow(status), action, FlowControlBody())
        return
    with pytest.raises(Conflict) as raised:
        check_action(flow(status), action, FlowControlBody())
    detail = raised.value.problem.detail
    assert raised.value.problem.code == "illegal_transition"
    assert f"is {status} cannot be asked to {action}." in detail
    assert ", ".join(LEGAL_ACTIONS[status]) in detail


@given(st.sampled_from(STATUSES), st.sampled_from(ACTIONS))
def test_nothing_can_be_asked_before_the_orchestrator_has_the_flow(status: FlowStatus, action: FlowAction) -> None:
    assert possible_actions(flow(status, revision=0)) == ()
    with pytest.raises(NotTakenYet) as raised:
        check_action(flow(status, revision=0), action, FlowControlBody())
    assert (raised.value.status, raised.value.seconds) == (409, 1)


@pytest.mark.parametrize(
    ("action", "asked", "code", "names"),
    [
        ("retry", FlowControlBody(phase="inventry"), "unknown_phase", "data_import, inventory"),
        ("retry", FlowControlBody(phase="inventory"), "phase_not_reached", "data_import"),
        ("cancel", FlowControlBody(phase="inventory"), "phase_not_applicable", "retry and skip"),
        ("retry", FlowControlBody(version=2), "version_not_applicable", "migrate"),
    ],
)
def test_what_does_not_exist_or_apply_is_named(
    action: FlowAction, asked: FlowControlBody, code: str, names: str
) -> None:
    with pytest.raises(ExpectedFailure) as raised:
        check_action(flow("failed"), action, asked)
    assert raised.value.problem.code == code
    assert names in raised.value.problem.detail


def test_a_phase_that_was_reached_can_be_retried() -> None:
    check_action(flow("failed"), "retry", FlowControlBody(phase="data_import"))


def test_every_status_has_its_actions() -> None:
    assert set(LEGAL_ACTIONS) == set(STATUSES)
