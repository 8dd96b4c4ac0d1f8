"""What Prometheus reads: well-formed, right, and about nobody's data."""

from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from contracts.envelope import Tenant, uuid7
from contracts.operations import EventDeadLettered
from services.audit.app import service as audit
from services.chassis.bus.in_process import InProcessBus
from services.chassis.health import health_app
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.gateway import metrics
from tests.gateway.platform import KEY, Platform, flow_updated
from tests.gateway.test_performance import START, a_flow

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_of(response: httpx2.Response) -> Samples:
    """Every sample, once the exposition was read as Prometheus reads it."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(response.text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family comes twice"
    found: Samples = {}
    for family in families:
        assert family.documentation
        assert family.name.startswith("modernize_")
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, "a series comes twice"
            found[key] = sample.value
    return found


async def scrape(platform: Platform) -> Samples:
    return samples_of(await platform.client.get("/metrics"))


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"modernize_{name}", tuple(sorted(labels.items()))))


async def test_flows_queues_and_dead_letters_are_counted(platform: Platform) -> None:
    other = await platform.new_tenant()
    waiting = flow_updated(status="queued").model_copy(update={"created_at": START})
    letter = EventDeadLettered(
        tenant=other, service="audit", queue="audit.all", event_id="1", event_type="flow.updated",
        attempts=1, code="x", reason="secret words", trace=None, message={},
    )  # fmt: skip
    await platform.hear(waiting, flow_updated(), flow_updated(other), flow_updated(other, status="completed"), letter)
    found = await scrape(platform)
    for status, count in {"queued": 1, "running": 2, "completed": 1}.items():
        assert value(found, "flows", flow_type="discovery", status=status) == count
    assert value(found, "queued_flows") == 1
    assert (value(found, "oldest_queued_flow_seconds") or 0) >= 7200
    for tenant, count in {waiting.tenant: 2, other: 1}.items():
        assert value(found, "tenant_live_flows", **ids(tenant)) == count
    assert value(found, "dead_letters", service="audit", status="open") == 1
    assert value(found, "outbox_rows", service="gateway") == 0
    assert value(found, "work_waiting", service="gateway") == 0


def ids(tenant: Tenant) -> dict[str, str]:
    return {name: str(each) for name, each in tenant.model_dump().items()}


async def test_series_of_tenants_are_bounded(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "OWN_SERIES", 2)
    tenants = [await platform.new_tenant() for _ in range(4)]
    await platform.hear(*(flow_updated(tenant) for n, tenant in enumerate(tenants) for _ in range(n + 1)))
    found = await scrape(platform)
    own = {key: count for key, count in found.items() if key[0] == "modernize_tenant_live_flows"}
    assert sorted(own.values()) == [3, 3, 4]
    assert value(found, "tenant_live_flows", client_account_id="others", engagement_id="others") == 3


async def test_durations_queue_times_and_retries_are_counted_as_they_pass(platform: Platform) -> None:
    def seen(found: Samples) -> dict[str, float]:
        phase = {"flow_type": "discovery", "phase": "data_import", "status": "completed"}
        flow = {"flow_type": "discovery", "status": "completed"}
        return {
            "phases": value(found, "phase_duration_seconds_count", **phase) or 0,
            "phase_seconds": value(found, "phase_duration_seconds_sum", **phase) or 0,
            "retries": value(found, "phase_retries_total", flow_type="discovery", phase="data_import") or 0,
            "flows": value(found, "flow_duration_seconds_count", **flow) or 0,
            "queued": value(found, "flow_queue_seconds_count", flow_type="discovery") or 0,
        }

    before = seen(await scrape(platform))
    last = a_flow(7, attempt=3)
    assert last.entry is not None
    began = last.entry.model_copy(update={"seq": 1, "at": last.started_at})
    left = last.entry.model_copy(update={"seq": 3, "at": last.phases[0].finished_at})
    running: dict[str, Any] = {"status": "running", "ended_at": None}
    first = last.model_copy(update={"id": uuid7(), "revision": 1, "entry": began, "phases": [], **running})
    then = last.model_copy(update={"id": uuid7(), "revision": 3, "entry": left, **running})
    await platform.hear(first, then, last)
    after = seen(await scrape(platform))
    grown = {name: round(after[name] - before[name], 3) for name in after}
    assert grown == {"phases": 1, "phase_seconds": 7, "retries": 2, "flows": 1, "queued": 1}


async def test_it_names_ids_and_no_data(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    await platform.upload(name="payroll.csv")
    broken = flow_updated(tenant).model_copy(update={"correlation_id": "CHG-1", "waits_for": "Ada"})
    await platform.hear(broken)
    page = (await platform.client.get("/metrics")).text
    for word in ("payroll", "CHG-1", "Ada", "Fabrikam", "Exit", KEY, str(broken.flow_id)):
        assert word not in page


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": ""}, 401),
        ({"x-api-key": "wrong"}, 401),
        ({"x-api-key": "", "authorization": "Bearer wrong"}, 401),
        ({"x-api-key": "", "authorization": f"Basic {KEY}"}, 401),
        ({"x-api-key": "", "authorization": f"Bearer {KEY}"}, 200),
        ({"x-api-key": KEY}, 200),
    ],
)
async def test_a_key_opens_it_as_prometheus_sends_one(platform: Platform, headers: dict[str, str], status: int) -> None:
    assert (await platform.client.get("/metrics", headers=headers)).status_code == status


async def test_whoever_counts_can_read_nothing_that_somebody_wrote(platform: Platform) -> None:
    for column, table in (("phases", "flows"), ("problem", "flows"), ("message", "dead_letters"), ("*", "flows")):
        async with platform.runtime.database.dispatch() as connection:
            with pytest.raises(ProgrammingError, match="permission denied"):
                await connection.execute(text(f"select {column} from gateway.{table}"))


async def test_a_service_without_people_shows_its_own_on_its_health_port(settings: Settings) -> None:
    runtime = Runtime(audit, settings, InProcessBus())
    transport = httpx2.ASGITransport(app=health_app(runtime))
    async with httpx2.AsyncClient(transport=transport, base_url="http://audit") as client:
        found = samples_of(await client.get("/metrics"))
    assert value(found, "outbox_rows", service="audit") == 0
    assert all("client_account_id" not in dict(labels) for _, labels in found)
    await runtime.stop()


async def test_services_of_one_process_are_shown_together(platform: Platform, settings: Settings) -> None:
    runtime = Runtime(audit, settings, InProcessBus())
    app = platform.client._transport.app  # type: ignore[attr-defined]  # the fixture's own API
    app.state.measured.append(runtime)
    found = await scrape(platform)
    assert {dict(labels)["service"] for name, labels in found if name == "modernize_outbox_rows"} == {
        "gateway",
        "audit",
    }
    await runtime.stop()
