"""What an engagement may use up in a day: how long it has to wait is exact, and nobody gets around it."""

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Tenant
from services.gateway.quotas import WINDOW, wait_for
from tests.gateway.platform import Platform, flow_updated
from tests.gateway.test_rate_limits import configure

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
used_amounts = st.lists(
    st.tuples(st.integers(0, 200_000).map(lambda ago: NOW - timedelta(seconds=ago)), st.integers(1, 50)), max_size=30
)


@given(used=used_amounts, quota=st.integers(1, 200), wanted=st.integers(1, 250))
def test_the_wait_is_long_enough_and_no_second_too_long(
    used: list[tuple[datetime, int]], quota: int, wanted: int
) -> None:
    def fits(at: datetime) -> bool:
        return sum(amount for when, amount in used if when > at - WINDOW) + wanted <= quota

    wait = wait_for(used, quota, wanted, NOW)
    if wait is None:
        assert wanted > quota
        return
    assert fits(NOW + wait)
    assert not wait or not fits(NOW + wait - timedelta(seconds=1))


async def upload(platform: Platform, tenant: Tenant, size: int) -> int:
    response = await platform.client.post(
        "/api/v1/imports", params={"file_name": "a.csv"}, content=b"x" * size, headers=platform.of(tenant)
    )
    return response.status_code


async def test_uploads_beyond_the_quota_are_refused_and_leave_nothing(platform: Platform) -> None:
    tenant, other = await platform.new_tenant(), await platform.new_tenant()
    await configure(platform, tenant, upload_bytes_per_day=1000)
    assert [await upload(platform, tenant, size) for size in (600, 600, 400, 1)] == [201, 413, 201, 429]
    listed = (await platform.get("/imports", tenant))["items"]
    assert [each["size_bytes"] for each in listed] == [600, 400]
    assert await upload(platform, other, 5_000) == 201


async def test_uploads_at_the_same_moment_do_not_pass_the_quota_together(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    await configure(platform, tenant, upload_bytes_per_day=1000)
    statuses = await asyncio.gather(*(upload(platform, tenant, 400) for _ in range(6)))
    assert sorted(statuses) == [201, 201, 429, 429, 429, 429]


async def test_flows_beyond_the_quota_are_refused_with_the_time_to_wait(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    made = await platform.upload(tenant=tenant)
    await configure(platform, tenant, flows_per_day=2)
    parent = flow_updated(tenant, status="completed")
    await platform.hear(parent, flow_updated(tenant, flow_type="assessment", parent_flow_id=parent.flow_id))
    body = {"import_ids": [made["import_id"]]}
    answers = [await platform.post("/flows", body, tenant) for _ in range(2)]
    # The one that was there counts, the one that it began by itself does not.
    assert [each.status_code for each in answers] == [202, 429]
    assert answers[1].json()["code"] == "quota_of_flows"
    assert 86_000 < int(answers[1].headers["retry-after"]) <= 86_401
