import pytest

from contracts import Problem
from services.chassis.errors import (
    BadRequest,
    Conflict,
    ExpectedFailure,
    Forbidden,
    NotFound,
    TooLarge,
    Unauthorized,
    problem_details,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequest, 400),
        (Unauthorized, 401),
        (Forbidden, 403),
        (NotFound, 404),
        (Conflict, 409),
        (TooLarge, 413),
        (ExpectedFailure, 422),
    ],
)
def test_each_failure_has_its_http_status(error: type[ExpectedFailure], status: int) -> None:
    assert problem_details(error("some_code", "Some detail."), None, "/x")["status"] == status


def test_problem_details_name_the_place_and_the_trace() -> None:
    error = ExpectedFailure("not_a_number", "“four” is no number.", file_name="a.csv", row=17, column="CPUs")

    trace_id = "0af7651916cd43dd8448eb211c80319c"  # pragma: allowlist secret
    assert problem_details(error, trace_id, "/api/v1/imports") == {
        "type": "urn:ai-modernize:problem:not_a_number",
        "title": "Not a number",
        "status": 422,
        "detail": "“four” is no number.",
        "instance": "/api/v1/imports",
        "code": "not_a_number",
        "trace_id": trace_id,
        "file_name": "a.csv",
        "row": 17,
        "column": "CPUs",
    }


def test_members_without_a_value_are_left_out() -> None:
    details = problem_details(NotFound("flow_not_found", "There is no such flow."), None, "/x")

    assert set(details) == {"type", "title", "status", "detail", "instance", "code"}


def test_a_conflict_says_what_is_possible_now() -> None:
    error = Conflict.with_alternatives("flow_not_running", "The flow is paused.", ["resume", "cancel"])

    assert error.problem.detail == "The flow is paused. Possible now: resume, cancel."


def test_a_conflict_without_alternatives_says_so() -> None:
    error = Conflict.with_alternatives("flow_ended", "The flow has ended.", [])

    assert error.problem.detail == "The flow has ended. Nothing can be done with it any more."


def test_a_problem_survives_the_way_through_an_event() -> None:
    problem = Problem(code="no_header", detail="There is no header.", file_name="a.csv", row=1)

    assert BadRequest.of(problem).problem == problem


def test_the_detail_is_the_message_of_the_exception() -> None:
    assert str(NotFound("flow_not_found", "There is no such flow.")) == "There is no such flow."
