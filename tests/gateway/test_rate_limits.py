"""Requests are counted by caller and tenant; the answer says how the limits stand."""

import asyncio
import gc
import socket
import weakref
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from contracts.envelope import Tenant
from services.chassis.rate_limits import Limit, RateLimits, Standing
from services.chassis.settings import Settings
from services.gateway import principal as principal_module
from services.gateway.request_limits import headers
from tests.chassis.test_cache import REDIS, redis_answers
from tests.gateway.platform import KEY, Platform

NEEDS_REDIS = pytest.mark.skipif(not redis_answers(), reason="no Redis at 127.0.0.1:6379")


def slow(name: str = "caller", burst: int = 5) -> Limit:
    """A limit whose burst does not come back while a test runs."""
    return Limit(name, str(uuid4()), per_minute=1, burst=burst)


@pytest.fixture(params=["memory", pytest.param("redis", marks=NEEDS_REDIS)])
def limits(request: pytest.FixtureRequest) -> RateLimits:
    return RateLimits(Settings(redis_url=REDIS if request.param == "redis" else None))


async def test_a_burst_passes_and_the_next_one_is_told_when_to_come_again(limits: RateLimits) -> None:
    limit = slow(burst=5)
    passed = [await limits.take(limit) for _ in range(5)]
    assert [one.remaining for one in passed] == [4, 3, 2, 1, 0]
    assert not any(one.exceeded for one in passed)
    refused = await limits.take(limit)
    assert refused.exceeded
    assert 55 < refused.retry_after <= 60


async def test_callers_at_the_same_moment_get_no_more_than_the_burst(limits: RateLimits) -> None:
    limit = slow(burst=20)
    standings = await asyncio.gather(*(limits.take(limit) for _ in range(60)))
    assert sum(not one.exceeded for one in standings) == 20


async def test_one_callers_limit_is_not_anothers(limits: RateLimits) -> None:
    first, second = slow(burst=1), slow(burst=1)
    assert not (await limits.take(first)).exceeded
    assert (await limits.take(first)).exceeded
    assert not (await limits.take(second)).exceeded


@NEEDS_REDIS
async def test_processes_that_share_redis_count_together() -> None:
    limit = slow(burst=2)
    one, other = (RateLimits(Settings(redis_url=REDIS)) for _ in range(2))
    assert not (await one.take(limit)).exceeded
    assert not (await other.take(limit)).exceeded
    assert (await one.take(limit)).exceeded


async def test_while_redis_is_away_the_process_counts_by_itself_and_asks_rarely() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    limits, limit = RateLimits(Settings(redis_url=f"redis://127.0.0.1:{port}/0")), slow(burst=2)
    with capture_logs() as logs:
        standings = [await limits.take(limit) for _ in range(4)]
    assert [one.exceeded for one in standings] == [False, False, True, True]
    assert [entry["event"] for entry in logs] == ["rate_limits_without_redis"]


@given(per_minute=st.integers(1, 100_000), burst=st.integers(1, 100_000), share=st.floats(0, 1))
def test_what_the_headers_call_remaining_never_exceeds_the_quota(per_minute: int, burst: int, share: float) -> None:
    limit = Limit("caller", "key", per_minute, burst)
    used = int(burst * share)
    standing = Standing(limit, False, burst - used, full_after=60 * used / per_minute, retry_after=0)
    told = dict(headers([standing]))
    quota, window = _numbers(told[b"ratelimit-policy"], "q", "w")
    remaining, seconds = _numbers(told[b"ratelimit"], "r", "t")
    assert 0 <= remaining <= quota == burst
    assert 0 <= seconds <= window


def _numbers(header: bytes, *names: str) -> list[int]:
    values = dict(part.split("=") for part in header.decode("ascii").split(";")[1:])
    return [int(values[name]) for name in names]


async def test_an_answer_tells_how_the_limits_stand(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    first, second = [await platform.client.get("/api/v1/flows", headers=platform.of(tenant, KEY)) for _ in range(2)]
    assert first.headers["ratelimit-policy"].startswith('"caller";q=1000;w=10, "tenant";q=')
    remaining = [_numbers(each.headers["ratelimit"].split(", ")[1].encode(), "r")[0] for each in (first, second)]
    assert remaining[1] <= remaining[0] + 1


async def configure(platform: Platform, tenant: Tenant | None = None, **values: int) -> None:
    """Set keys of the dynamic configuration as an operator does."""
    for key, value in values.items():
        body = {"value": value, "reason": "a test"}
        answer = await platform.client.put(f"/api/v1/configuration/{key}", json=body, headers=platform.of(tenant))
        assert answer.status_code == 200, answer.text


async def test_who_sends_too_much_is_refused_until_the_time_that_is_told(platform: Platform) -> None:
    tenant, other = await platform.new_tenant(), await platform.new_tenant()
    await configure(platform, tenant, tenant_request_burst=3, tenant_requests_per_minute=1)
    answers = [await platform.client.get("/api/v1/flows", headers=platform.of(tenant)) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "too_many_requests"
    assert 55 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"].endswith('"tenant";q=3;w=180')
    assert refused.headers["ratelimit"].split(", ")[1].startswith('"tenant";r=0;t=')
    assert (await platform.client.get("/api/v1/flows", headers=platform.of(other))).status_code == 200


async def test_strangers_use_up_nothing_of_a_tenant(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    strangers = slow("stranger", burst=2)
    monkeypatch.setattr(principal_module, "stranger_limit", lambda _address: strangers)
    tenant = await platform.new_tenant()
    await configure(platform, tenant, tenant_request_burst=1, tenant_requests_per_minute=1)
    headers = {**platform.of(tenant), "x-api-key": "wrong"}
    wrong = [await platform.client.get("/api/v1/flows", headers=headers) for _ in range(3)]
    assert [each.status_code for each in wrong] == [401, 401, 429]
    assert (await platform.client.get("/api/v1/flows", headers=platform.of(tenant))).status_code == 200
    assert (await platform.client.get("/api/v1/flows", headers=platform.of(tenant))).status_code == 429


async def test_counts_of_a_runtime_that_ended_are_not_kept() -> None:
    limits = RateLimits(Settings())
    await limits.take(slow())
    store = weakref.ref(limits._local)
    await limits.close()
    del limits
    gc.collect()
    assert store() is None
