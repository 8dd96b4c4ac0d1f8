"""What the client makes of the gateway's answers."""

from pathlib import Path

import httpx2
import pytest

from contracts.rest import FlowView
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
