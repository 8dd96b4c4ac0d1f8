"""How flows did, computed by the database: against flows whose times are known."""

from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

from contracts.envelope import Tenant, uuid7
from contracts.flows import FlowUpdated, PhaseView, TimelineEntry
from services.gateway.app import DEFAULT_TENANT
from services.gateway.read_model.retention import shrink_old_timelines
from tests.gateway.platform import Platform

START = datetime.now(UTC) - timedelta(hours=2)


def a_flow(
    seconds: float,
    *,
    status: str = "completed",
    attempt: int = 1,
    queue: float = 0.5,
    at: datetime = START,
    tenant: Tenant = DEFAULT_TENANT,
) -> FlowUpdated:
    """A discovery of one phase, which took so long; the flow took one second more."""
    began = at + timedelta(seconds=queue)
    ended = began + timedelta(seconds=seconds)
    phase = PhaseView(
        name="data_import",
        status="failed" if status == "failed" else "completed",
        attempt=attempt,
        started_at=began,
        finished_at=ended,
    )
    over = ended + timedelta(seconds=1)
    return FlowUpdated(
        tenant=tenant,
        flow_id=uuid7(),
        flow_type="discovery",
        revision=4,
        status=status,
        current_phase="data_import",
        phases=[phase, PhaseView(name="field_mapping", status="pending")],
        created_at=at,
        started_at=began,
        ended_at=over if status != "running" else None,
        entry=TimelineEntry(seq=4, at=over, cause="clock", status=status, note="done"),
    )


async def performance(platform: Platform, tenant: Tenant | None = None, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await platform.get("/performance", tenant, **params))["flow_types"]
    return found


async def test_rates_retries_and_percentiles_are_those_of_the_flows(platform: Platform) -> None:
    durations = [float(each) for each in range(1, 101)]
    flows = [a_flow(seconds, attempt=1 + int(seconds) % 2) for seconds in durations]
    flows += [a_flow(5, status="failed", attempt=3), a_flow(5, status="cancelled"), a_flow(5, status="running")]
    await platform.hear(*flows)
    [discovery] = await performance(platform)
    counts = {name: discovery[name] for name in ("live", "queued", "runs", "completed", "failed", "cancelled")}
    assert counts == {"live": 1, "queued": 0, "runs": 102, "completed": 100, "failed": 1, "cancelled": 1}
    assert discovery["success_rate"] == 100 / 101
    assert discovery["queue_time"] == {"p50": 0.5, "p95": 0.5, "p99": 0.5}
    cuts = quantiles([*durations, 5, 5], n=100, method="inclusive")
    took = {"p50": cuts[49] + 1, "p95": cuts[94] + 1, "p99": cuts[98] + 1}
    assert discovery["duration"] == {name: round(value, 3) for name, value in took.items()}
    [phase] = discovery["phases"]
    assert (phase["name"], phase["runs"], phase["completed"], phase["failed"]) == ("data_import", 103, 102, 1)
    assert phase["retries"] == 50 + 2
    assert phase["success_rate"] == 102 / 103


async def test_only_what_ended_since_counts(platform: Platform) -> None:
    old = START - timedelta(days=30)
    await platform.hear(a_flow(1, at=old), a_flow(2))
    assert [each["runs"] for each in await performance(platform)] == [1]
    assert [each["runs"] for each in await performance(platform, since=(old - timedelta(days=1)).isoformat())] == [2]
    assert await performance(platform, since=datetime.now(UTC).isoformat()) == []


async def test_a_tenant_sees_its_own(platform: Platform) -> None:
    other = await platform.new_tenant()
    await platform.hear(a_flow(1), a_flow(3, tenant=other), a_flow(3, tenant=other))
    assert [each["runs"] for each in await performance(platform)] == [1]
    assert [each["duration"]["p99"] for each in await performance(platform, other)] == [4]


async def test_a_time_without_its_offset_is_refused(platform: Platform) -> None:
    response = await platform.client.get("/api/v1/performance", params={"since": "2026-11-20T00:00:00"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


async def test_timelines_of_flows_that_ended_long_ago_shrink_to_their_end(platform: Platform) -> None:
    old, young = a_flow(1, at=START - timedelta(days=400)), a_flow(1)
    for flow in (old, young):
        entry = TimelineEntry(
            seq=3, at=flow.created_at, cause="clock", status="running", note="before", checkpoint=True
        )
        await platform.hear(flow.model_copy(update={"id": uuid7(), "revision": 3, "entry": entry}), flow)
    await shrink_old_timelines(platform.runtime)
    kept = {flow.flow_id: (await platform.get(f"/flows/{flow.flow_id}/timeline"))["items"] for flow in (old, young)}
    assert [item["seq"] for item in kept[old.flow_id]] == [4]
    assert [item["seq"] for item in kept[young.flow_id]] == [3, 4]
