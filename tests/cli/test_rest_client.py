"""What the client makes of the gateway's answers."""

from pathlib import Path

import httpx2
import pytest

from contracts.rest import EngagementView, FlowView
from services.cli.rest_client import RestClient
from services.cli.terminal import CommandFailed

URL = "http://gateway:8000"


def client_of(answer: httpx2.Response | Exception) -> RestClient:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return RestClient(httpx2.Client(base_url=URL, transport=httpx2.MockTransport(handle)), URL)


def test_a_problem_becomes_its_detail_with_the_trace_id() -> None:
    problem = {
        "type": "urn:ai-modernize:problem:x", "title": "X", "status": 422, "detail": "Row 7 is odd. Mend it.",
        "instance": "/x", "code": "x", "trace_id": "ab" * 16, "row": 7,
    }  # fmt: skip
    with pytest.raises(CommandFailed, match="Row 7 is odd") as failure:
        client_of(httpx2.Response(422, json=problem)).get("/flows", FlowView)
    assert failure.value.members["trace_id"] == "ab" * 16
    assert failure.value.members["row"] == 7


def test_an_error_without_a_problem_tells_its_status() -> None:
    with pytest.raises(CommandFailed, match="status 502"):
        client_of(httpx2.Response(502, text="Bad gateway")).get("/flows", FlowView)


def test_another_server_is_not_taken_for_the_gateway() -> None:
    with pytest.raises(CommandFailed, match="is not the gateway"):
        client_of(httpx2.Response(200, text="<html>")).get("/flows", FlowView)


def test_a_connection_that_breaks_off_leaves_open_what_happened() -> None:
    with pytest.raises(CommandFailed, match="not known"):
        client_of(httpx2.ReadError("reset")).get("/flows", FlowView)


def test_a_download_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed):
        client_of(httpx2.Response(404, text="no")).download("/reports/x", tmp_path / "plan.html")
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_complete(tmp_path: Path) -> None:
    client_of(httpx2.Response(200, content=b"plan")).download("/reports/x", tmp_path / "plan.html")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("plan.html", b"plan")]


def client_of_many(*answers: httpx2.Response) -> tuple[RestClient, list[str]]:
    """A client that gets these answers one after the other, and the paths that it asked for."""
    left, asked = list(answers), []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return left.pop(0)

    return RestClient(httpx2.Client(base_url=URL, transport=httpx2.MockTransport(handle)), URL), asked


def not_now(seconds: str = "0") -> httpx2.Response:
    problem = {
        "type": "urn:ai-modernize:problem:too_many_queued_flows", "title": "Too many", "status": 429,
        "detail": "10,000 flows have not begun yet.", "instance": "/flows", "code": "too_many_queued_flows",
    }  # fmt: skip
    return httpx2.Response(429, json=problem, headers={"Retry-After": seconds})


ENGAGEMENT = {
    "client_account_id": "00000000-0000-0000-0000-000000000001", "client_name": "a",
    "engagement_id": "00000000-0000-0000-0000-000000000002", "engagement_name": "b",
}  # fmt: skip


def test_a_request_that_came_too_soon_is_made_once_more_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    client, asked = client_of_many(not_now(), httpx2.Response(200, json=ENGAGEMENT))
    assert client.get("/engagements/current", EngagementView).client_name == "a"
    assert len(asked) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "10,000 flows have not begun yet. Tries once more in 0 s." in said


def test_a_request_is_made_once_more_and_not_for_ever() -> None:
    client, asked = client_of_many(not_now(), not_now())
    with pytest.raises(CommandFailed, match="have not begun yet"):
        client.get("/engagements/current", EngagementView)
    assert len(asked) == 2


@pytest.mark.parametrize("seconds", ["3600", "Wed, 21 Oct 2026 07:28:00 GMT", ""])
def test_nobody_waits_for_an_hour_or_for_what_is_no_number(seconds: str) -> None:
    client, asked = client_of_many(not_now(seconds))
    with pytest.raises(CommandFailed, match="have not begun yet"):
        client.get("/engagements/current", EngagementView)
    assert len(asked) == 1


def test_a_body_that_was_sent_in_pieces_is_not_sent_again() -> None:
    client, asked = client_of_many(not_now())
    with pytest.raises(CommandFailed, match="have not begun yet"):
        client.upload("a.csv", 3, iter([b"abc"]))
    assert len(asked) == 1
