"""Errors of every kind have one shape: RFC 9457 problem details with a trace id."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts import rest
from contracts.envelope import uuid7
from services.gateway.routes import flows
from tests.gateway.platform import Platform, approval_requested


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The body of an error after the checks that hold for all of them."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    rest.ProblemDetails.model_validate(body)
    assert set(body) <= set(rest.ProblemDetails.model_fields)
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:ai-modernize:problem:{code}")
    assert body["instance"] == response.request.url.path
    assert body["title"]
    assert body["detail"]
    assert re.fullmatch("[0-9a-f]{32}", body["trace_id"])
    return body


async def test_an_unknown_path(platform: Platform) -> None:
    problem(await platform.client.get("/api/v1/nope"), 404, "not_found")
    problem(await platform.client.get("/nope"), 404, "not_found")


async def test_a_method_that_a_path_does_not_have(platform: Platform) -> None:
    response = await platform.client.delete("/api/v1/flows")
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"]


async def test_a_missing_flow(platform: Platform) -> None:
    flow_id = uuid7()
    assert (
        str(flow_id) in problem(await platform.client.get(f"/api/v1/flows/{flow_id}"), 404, "flow_not_found")["detail"]
    )


async def test_an_id_that_is_none_names_the_parameter(platform: Platform) -> None:
    assert "flow_id" in problem(await platform.client.get("/api/v1/flows/7"), 422, "invalid_request")["detail"]


async def test_a_body_that_is_no_json(platform: Platform) -> None:
    response = await platform.client.post("/api/v1/flows", content=b"{", headers={"content-type": "application/json"})
    problem(response, 422, "invalid_request")


async def test_a_json_body_that_is_too_large(platform: Platform) -> None:
    problem(
        await platform.client.post("/api/v1/engagements", json={"client_name": "x" * 1024**2}), 413, "body_too_large"
    )


async def test_a_json_body_that_is_too_large_and_does_not_say_so(platform: Platform) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"client_name": "'
        for _ in range(100):
            yield b"x" * 64 * 1024

    response = await platform.client.post(
        "/api/v1/engagements", content=body(), headers={"content-type": "application/json"}
    )
    problem(response, 413, "body_too_large")


async def test_a_decision_may_be_larger_than_other_bodies(platform: Platform) -> None:
    task = approval_requested()
    edits = {"x": {f"column {number}": None for number in range(80_000)}}
    body = {"decision": "approve", "edits": edits}
    response = await platform.client.post(f"/api/v1/approvals/{task.task_id}/decision", json=body)
    problem(response, 404, "task_not_found")


async def test_a_bug_tells_the_trace_id_and_nothing_of_the_inside(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(flows, "flow_detail", broken)
    response = await platform.client.get(f"/api/v1/flows/{uuid7()}")
    assert "secret" not in str(problem(response, 500, "internal_error"))


async def test_without_a_key(platform: Platform) -> None:
    problem(await platform.client.get("/api/v1/flows", headers={"x-api-key": "wrong"}), 401, "unknown_api_key")


@pytest.mark.parametrize(
    ("method", "path", "arguments"),
    [
        ("GET", "/assets", {"params": {"q": "\0"}}),
        ("GET", "/assets", {"params": {"environment": "a\0"}}),
        ("GET", "/applications", {"params": {"q": "\0"}}),
        ("POST", "/imports", {"params": {"file_name": "\0"}, "content": b"x"}),
        ("POST", "/engagements", {"json": {"client_name": "\0", "engagement_name": "x"}}),
    ],
)
async def test_a_nul_character(platform: Platform, method: str, path: str, arguments: dict[str, Any]) -> None:
    problem(await platform.client.request(method, f"/api/v1{path}", **arguments), 422, "nul_character")


async def test_health_says_live_and_ready(platform: Platform) -> None:
    assert (await platform.client.get("/health/live")).json() == {"status": "live"}
    assert (await platform.client.get("/health/ready", headers={"x-api-key": ""})).json() == {"status": "ready"}
