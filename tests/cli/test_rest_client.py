"""What the client makes of the gateway's answers."""

from pathlib import Path

import httpx2
import pytest
import yaml

from contracts.rest import EngagementView, FlowView
from services.cli.rest_client import RestClient
from services.cli.sending_again import key_for
from services.cli.terminal import CommandFailed

URL = "http://gateway:8000"
OPENAPI = Path(__file__).parents[2] / "contracts" / "openapi.yaml"


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
        client.upload("a.csv", 3, lambda: iter([b"abc"]))
    assert len(asked) == 1


IMPORT = {
    "import_id": "00000000-0000-0000-0000-000000000003", "file_name": "a.csv", "size_bytes": 3, "sha256": "x",
    "uploaded_at": "2026-11-21T09:30:00Z",
}  # fmt: skip
IN_FLIGHT = httpx2.Response(
    409,
    headers={"Retry-After": "1"},
    json={"type": "x", "title": "x", "status": 409, "detail": "Wait.", "instance": "/", "code": "request_in_flight"},
)


def losing(*answers: httpx2.Response | Exception) -> tuple[RestClient, list[tuple[str | None, bytes]]]:
    """A client whose connection does this one time after the other; keys and bodies of what was sent."""
    left, sent = list(answers), []

    def handle(request: httpx2.Request) -> httpx2.Response:
        sent.append((request.headers.get("idempotency-key"), request.read()))
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    return RestClient(httpx2.Client(base_url=URL, transport=httpx2.MockTransport(handle)), URL), sent


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cli.rest_client.AGAIN_AFTER_SECONDS", (0.0,) * 4)


@pytest.mark.usefixtures("_patient")
def test_what_creates_is_sent_again_under_the_same_key_until_the_answer_comes() -> None:
    away = httpx2.ConnectError("starting again")
    client, sent = losing(httpx2.ReadError("reset"), away, IN_FLIGHT, httpx2.Response(201, json=ENGAGEMENT))
    assert client.post("/engagements", EngagementView).client_name == "a"
    assert len(sent) == 4
    [key] = {key for key, _ in sent}
    assert key


@pytest.mark.usefixtures("_patient")
def test_an_upload_is_sent_again_from_its_beginning() -> None:
    client, sent = losing(httpx2.WriteError("reset"), httpx2.Response(201, json=IMPORT))
    assert client.upload("a.csv", 3, lambda: iter([b"a", b"bc"])).file_name == "a.csv"
    assert [body for _, body in sent] == [b"abc", b"abc"]
    assert len({key for key, _ in sent}) == 1


@pytest.mark.usefixtures("_patient")
def test_a_lost_connection_is_told_after_some_tries_and_a_gateway_that_was_never_there_at_once() -> None:
    client, sent = losing(*[httpx2.ReadError("reset")] * 9)
    with pytest.raises(CommandFailed, match="not known") as failure:
        client.post("/engagements", EngagementView)
    assert (failure.value.members["code"], len(sent)) == ("connection_lost", 5)
    client, sent = losing(httpx2.ConnectError("refused"))
    with pytest.raises(CommandFailed, match="Nothing answers"):
        client.post("/engagements", EngagementView)
    assert len(sent) == 1


@pytest.mark.parametrize("method", ["put", "delete", "get"])
def test_what_has_no_key_is_not_sent_again(method: str) -> None:
    client, sent = losing(httpx2.ReadError("reset"))
    with pytest.raises(CommandFailed, match="not known"):
        client._request(method.upper(), "/x")
    assert sent == [(None, b"")]


def test_exactly_the_posts_that_the_gateway_answers_once_have_a_key() -> None:
    document = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))
    wrong = []
    for path, operations in document["paths"].items():
        names = {parameter["name"] for parameter in operations.get("post", {}).get("parameters", [])}
        if "post" in operations and ("Idempotency-Key" in names) != bool(key_for("POST", path.removeprefix("/api/v1"))):
            wrong.append(path)
    assert wrong == []
