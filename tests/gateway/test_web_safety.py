"""Browsers, hosts and sizes: what holds for every request and answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import PLATFORM
from services.chassis.settings import Settings
from services.gateway.web_safety import allowed_hosts, too_deep
from tests.gateway.platform import Platform, a_platform

PAGE = "https://console.example.com"


async def allow(platform: Platform, *origins: str) -> None:
    answer = await platform.client.put(
        "/api/v1/configuration/cors_origins",
        json={"value": list(origins), "reason": "a test"},
        headers=platform.of(PLATFORM),
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/flows", 200),
        ("GET", "/api/v1/flows/nonsense", 422),
        ("GET", "/nowhere", 404),
        ("PATCH", "/api/v1/flows", 405),
        ("GET", "/health/live", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("POST", "/api/v1/imports", 422),
    ],
)
async def test_every_answer_tells_browsers_how_little_they_may_do(
    platform: Platform, method: str, path: str, status: int
) -> None:
    answer = await platform.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert policy.startswith("default-src 'none'")
    assert "strict-transport-security" not in answer.headers
    assert len(answer.headers.get_list("content-security-policy")) == 1


async def test_over_https_browsers_are_told_to_stay_there(platform: Platform) -> None:
    answer = await platform.client.get("https://localhost/nowhere")
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


async def test_a_bug_and_a_stranger_get_the_same_headers(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    del platform.client.headers["x-api-key"]
    stranger = await platform.client.get("/api/v1/flows")
    monkeypatch.setattr(platform.runtime.database, "session", broken)
    bug = await platform.client.get("/api/v1/flows", headers={"x-api-key": "modernize_other"})
    assert (stranger.status_code, bug.status_code) == (401, 500)
    for answer in (stranger, bug):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


async def test_the_documentation_page_may_run_its_own_script_and_its_library(platform: Platform) -> None:
    page = await platform.client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert page.text.count("<script>") == policy.count("'sha256-") == 1
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    assert "https://cdn.jsdelivr.net" in scripts
    assert "unsafe" not in scripts
    assert (await platform.client.get("/redoc")).status_code == 404


async def test_without_configuration_no_page_of_another_origin_may_call(platform: Platform) -> None:
    answer = await platform.client.get("/api/v1/flows", headers={"origin": PAGE})
    preflight = await platform.client.options(
        "/api/v1/flows", headers={"origin": PAGE, "access-control-request-method": "GET"}
    )
    assert preflight.status_code == 405
    for each in (answer, preflight):
        assert not any(name.startswith("access-control") for name in each.headers)


async def test_pages_of_configured_origins_may_call_and_others_may_not(platform: Platform) -> None:
    await allow(platform, PAGE)
    asked = {"access-control-request-method": "PUT", "access-control-request-headers": "x-api-key, if-match"}
    preflight = await platform.client.options("/api/v1/flows", headers={"origin": PAGE, **asked})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "access-control-allow-credentials" not in preflight.headers
    answer = await platform.client.get("/api/v1/flows", headers={"origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "RateLimit" in answer.headers["access-control-expose-headers"]
    refused = await platform.client.get("/nowhere", headers={"origin": PAGE})
    assert refused.headers["access-control-allow-origin"] == PAGE
    for origin in ("https://console.example.com.evil.example", "http://console.example.com", "null"):
        other = await platform.client.options("/api/v1/flows", headers={"origin": origin, **asked})
        assert other.status_code == 400
        assert "access-control-allow-origin" not in other.headers
    await allow(platform)
    assert (
        "access-control-allow-origin"
        not in (await platform.client.get("/api/v1/flows", headers={"origin": PAGE})).headers
    )


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "169.254.169.254", ""])
async def test_on_loopback_only_the_names_of_this_machine_are_answered(platform: Platform, host: str) -> None:
    answer = await platform.client.get("/health/live", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
async def test_this_machines_names_are_answered_with_any_port(platform: Platform, host: str) -> None:
    assert (await platform.client.get("/health/live", headers={"host": host})).status_code == 200


async def test_an_operator_names_the_hosts(settings: Settings) -> None:
    named = settings.model_copy(update={"allowed_hosts": "api.example.com, api.example.org"})
    async with a_platform(named) as platform:
        for host, status in (("API.example.com:443", 200), ("api.example.org", 200), ("localhost", 400)):
            assert (await platform.client.get("/health/live", headers={"host": host})).status_code == status
    assert allowed_hosts(settings.model_copy(update={"host": "0.0.0.0"})) is None


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/" + "a" * 3_000, {}, 414, "uri_too_long"),
        ("/api/v1/flows?cursor=" + "a" * 9_000, {}, 414, "uri_too_long"),
        ("/api/v1/flows", {"x-long": "a" * 40_000}, 431, "headers_too_large"),
        ("/api/v1/flows", {f"x-{number}": "a" for number in range(120)}, 431, "headers_too_large"),
    ],
)
async def test_what_is_too_long_is_refused_before_any_route(
    platform: Platform, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await platform.client.get(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("levels", [33, 1_000, 100_000])
async def test_json_that_is_nested_too_deep_is_refused(platform: Platform, levels: int) -> None:
    body = '{"import_ids": ' + "[" * levels + "]" * levels + "}"
    answer = await platform.client.post("/api/v1/flows", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "deeper than 32" in answer.json()["detail"]


JSON = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\a'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[]{}"\\a'), inner, max_size=3),
    max_leaves=30,
)


def depth(value: Any) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max((depth(each) for each in inner), default=0)
    return 0


@given(JSON, st.integers(1, 6))
def test_the_depth_is_that_of_the_parsed_value_whatever_its_texts_contain(value: Any, levels: int) -> None:
    body = json.dumps(value).encode()
    few = body.count(b"[") + body.count(b"{") <= levels
    assert too_deep(body, levels) == (depth(value) > levels and not few)
