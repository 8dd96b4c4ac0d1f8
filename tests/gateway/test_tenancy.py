"""Every route for its own tenant, another's, none, half of one, without a key and with a wrong one."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.audit_log import AuditEntriesCompleted, AuditExportCompleted
from contracts.envelope import PLATFORM, Tenant, uuid7
from contracts.inventory_sealing import InventorySealingProgressed
from contracts.learning import Learning, LearningProposed
from contracts.planning import ReportCompleted
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.gateway.app import DEFAULT_TENANT, create_api, service
from tests.gateway import estate
from tests.gateway.every_route import (
    AGENT_SCHEDULE,
    EVERY_ROUTE,
    LISTS,
    OPEN,
    OWN_THINGS,
    SCHEDULE,
    TENANTLESS,
    WEBHOOK,
    WHOLES,
    arguments,
    filled,
)
from tests.gateway.platform import KEY, Platform, approval_requested, flow_updated
from tests.gateway.test_agent_tasks import TASK, registered
from tests.gateway.test_audit import signed
from tests.gateway.test_learnings import FIELD, SOURCE, learned, lesson, saved
from tests.gateway.test_memories import a_memory, kept
from tests.gateway.test_operations import dead

# What the things of a full tenant are in no state for.
_NOT_NOW = ("/mappings", "/drop", "/replay", "/retry", "/{action}", "/fork", "/split", "/decide", "/redeliver")


def routes_of_the_document() -> Iterator[tuple[str, str]]:
    settings = Settings(database_url="postgresql://localhost/none", blob_url="memory:///")
    document = create_api(Runtime(service, settings, InProcessBus())).openapi()
    for path, operations in document["paths"].items():
        if path.startswith("/api/v1"):
            yield from ((method.upper(), path.removeprefix("/api/v1")) for method in operations)


def test_every_route_is_tried() -> None:
    assert sorted(routes_of_the_document()) == sorted([*EVERY_ROUTE, *OPEN])


async def a_full_tenant(platform: Platform) -> tuple[Tenant, dict[str, UUID | str]]:
    """A tenant with one of everything, and the ids of its things."""
    tenant = await platform.new_tenant()
    made = await platform.upload(tenant=tenant)
    flow = flow_updated(tenant, status="completed", phase=None)
    assert flow.flow_id is not None
    task = approval_requested(tenant, flow.flow_id)
    asked = await platform.client.post("/api/v1/audit/verifications", headers=platform.of(tenant))
    entries = (await platform.post("/audit/entries", {"types": ["flow.updated"]}, tenant)).json()["request_id"]
    export = (await platform.post("/audit/exports", None, tenant)).json()["request_id"]
    webhook = (await platform.post("/webhooks", WEBHOOK, tenant)).json()["webhook_id"]
    pinged = (await platform.post(f"/webhooks/{webhook}/ping", None, tenant)).json()["delivery_id"]
    repair = await platform.post("/flow-repairs", {}, tenant)
    await platform.hear(registered())
    agent_task = await platform.post("/agent-tasks", TASK, tenant)
    agent_schedule = await platform.post("/agent-schedules", AGENT_SCHEDULE, tenant)
    schedule = await platform.post("/schedules", SCHEDULE, tenant)
    field = await platform.post("/fields", FIELD, tenant)
    value = {"value": 5, "reason": "a test"}
    await platform.client.put("/api/v1/configuration/flows_per_day", json=value, headers=platform.of(tenant))
    key = await platform.post("/keys", {"name": "CMDB"}, tenant)
    learning = (await platform.post("/learnings", {"text": "RAM_GB is Memory"}, tenant)).json()
    body = {"email": "ada@contoso.example", "role": "analyst"}
    invitation = await platform.post("/invitations", body, tenant)
    blobs = platform.runtime.blobs
    report = await blobs.put_bytes(tenant, "reports", b"x", "text/html")
    place = {"file_name": "a", "row": 1, "reason": "r", "table_id": str(uuid7())}
    await platform.hear(
        flow,
        flow_updated(tenant, flow_type="assessment", status="completed"),
        flow_updated(tenant, flow_type="planning", status="completed"),
        task,
        dead(tenant),
        ReportCompleted(tenant=tenant, flow_id=flow.flow_id, files={"html": report}),
        (
            await estate.inventory(
                blobs,
                tenant,
                flow.flow_id,
                [{"name": "a"}],
                [{**place, "raw": "{}"}],
                [{**place, "column": "c", "field": "f", "raw": "x"}],
            )
        ).model_copy(update=await estate.asset_lists(blobs, tenant)),
        await estate.measured(blobs, tenant, flow.flow_id),
        await estate.dependencies(
            blobs, tenant, flow.flow_id, [{"name": "A"}], [{"source_name": "A", "target_name": "A"}]
        ),
        await estate.treatments(blobs, tenant, flow.flow_id, {"A": "retain"}),
        estate.waves(tenant, flow.flow_id, ["Pilot"]),
        LearningProposed(tenant=tenant, learning=Learning.model_validate({**learning, "status": "proposed"})),
        learned(lesson(), lesson("Tier", source_id=SOURCE), tenant=tenant),
        mapping := saved(uuid7(), tenant=tenant),
        remembered := kept(a_memory(), tenant=tenant),
        *signed(tenant),
        InventorySealingProgressed(tenant=tenant, service="field_mapping", version=1, sealed=False, rows=1, left=1),
        AuditEntriesCompleted(
            tenant=tenant,
            causation_id=entries,
            found=await blobs.put_bytes(tenant, "audit_entries", b'{"entries": []}', "application/json"),
            entries=0,
        ),
        AuditExportCompleted(
            tenant=tenant,
            causation_id=export,
            file=await blobs.put_bytes(tenant, "audit_export", b"PK", "application/zip"),
            entries=1,
            checkpoints=1,
        ),
    )
    (letter,) = (await platform.get("/dead-letters", tenant))["items"]
    return tenant, {
        "flow": flow.flow_id,
        "asset": estate.uid("a"),
        "task": task.task_id,
        "letter": letter["dead_letter_id"],
        "repair": repair.json()["repair_id"],
        "schedule": schedule.json()["schedule_id"],
        "verification": asked.json()["verification_id"],
        "entries": entries,
        "export": export,
        "import": made["import_id"],
        "field": field.json()["field_id"],
        "key": key.json()["key_id"],
        "learning": learning["learning_id"],
        "memory": remembered.memories[0].memory_id,
        "source": mapping.source_id,
        "mapping": mapping.mapping_id,
        "invitation": invitation.json()["invitation_id"],
        "webhook": webhook,
        "agent_task": agent_task.json()["task_id"],
        "agent_schedule": agent_schedule.json()["schedule_id"],
        "delivery": f"{webhook}/{pinged}",
    }


async def test_what_belongs_to_another_tenant_does_not_exist(platform: Platform) -> None:
    tenant, things = await a_full_tenant(platform)
    other = await platform.new_tenant()
    # Its own tenant asks first, so that an answer that was kept would show.
    asked = [filled(path, things[kind]) for (method, path), kind in OWN_THINGS.items() if method == "GET"]
    for url in (*asked, *(f"/api/v1{path}" for path in LISTS)):
        await platform.client.get(url, headers=platform.of(tenant))
    for headers in (platform.of(other), platform.of(), platform.of(PLATFORM)):
        for (method, path), kind in OWN_THINGS.items():
            response = await platform.client.request(
                method, filled(path, things[kind]), headers=headers, **arguments(method, path, None)
            )
            assert response.status_code == 404, (method, path, response.text)
        for path in LISTS:
            for params in ({}, {"flow_id": str(things["flow"])}):
                response = await platform.client.get(f"/api/v1{path}", headers=headers, params=params)
                assert response.json() == {"items": [], "next_cursor": None}, path
        body = {"import_ids": [str(things["import"])]}
        response = await platform.client.post("/api/v1/flows", json=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (404, "import_not_found")


async def test_every_route_answers_its_own_tenant(platform: Platform) -> None:
    tenant, things = await a_full_tenant(platform)
    for path in LISTS:
        params = {"flow_id": things["flow"]} if path in ("/treatments", "/waves") else {}
        assert len((await platform.get(path, tenant, **params))["items"]) >= 1, path
    for (method, path), kind in OWN_THINGS.items():
        if path.endswith(_NOT_NOW):
            continue
        response = await platform.client.request(
            method, filled(path, things[kind]), headers=platform.of(tenant), **arguments(method, path, None)
        )
        assert response.status_code in (200, 201, 202), (method, path, response.text)
    shown = await platform.get("/engagements/current", tenant)
    assert Tenant.model_validate(shown) == tenant


async def wholes(platform: Platform, tenant: Tenant | None) -> dict[str, Any]:
    """What a tenant is told of all that it has."""
    return {path: await platform.get(path, tenant) for path in WHOLES}


async def test_what_tells_of_everything_tells_of_ones_own_only(platform: Platform) -> None:
    strangers = (await platform.new_tenant(), None, PLATFORM)
    before = [await wholes(platform, stranger) for stranger in strangers]
    tenant, _ = await a_full_tenant(platform)
    own = await wholes(platform, tenant)
    assert [await wholes(platform, stranger) for stranger in strangers] == before
    assert [path for path in WHOLES if own[path] == before[0][path]] == []


async def test_what_has_the_same_id_in_another_tenant_is_another_thing(platform: Platform) -> None:
    tenant, things = await a_full_tenant(platform)
    other = await platform.new_tenant()
    mapping = saved(UUID(str(things["mapping"])), tenant=other)
    lists = ("/learnings", "/lessons", "/mappings", "/templates")

    async def own() -> list[Any]:
        return [await wholes(platform, tenant), *[await platform.get(path, tenant) for path in lists]]

    before = await own()
    await platform.hear(mapping)
    for method, path, body, status in (
        ("POST", "/fields", FIELD, 201),
        ("PUT", f"/fields/{things['field']}", {"label": "Theirs"}, 200),
        ("DELETE", f"/fields/{things['field']}", None, 200),
        ("POST", "/learnings", {"forget": [each["lesson_id"] for each in before[2]["items"]]}, 202),
        ("PUT", f"/templates/{things['source']}", {"name": "Theirs"}, 200),
        ("DELETE", f"/mappings/{things['mapping']}", None, 200),
    ):
        response = await platform.client.request(method, f"/api/v1{path}", json=body, headers=platform.of(other))
        assert response.status_code == status, (method, path, response.text)
    await platform.settled()
    assert await own() == before


Headers = Callable[[Tenant], dict[str, str]]
REFUSED: tuple[tuple[str, int, str, Headers], ...] = (
    ("no key", 401, "unknown_api_key", lambda tenant: {"x-api-key": ""}),
    ("wrong key", 401, "unknown_api_key", lambda tenant: {"x-api-key": KEY + "x"}),
    (
        "unknown tenant",
        404,
        "engagement_not_found",
        lambda tenant: {"x-client-account-id": str(uuid4()), "x-engagement-id": str(uuid4())},
    ),
    (
        "engagement of another client",
        404,
        "engagement_not_found",
        lambda tenant: {"x-client-account-id": str(uuid4()), "x-engagement-id": str(tenant.engagement_id)},
    ),
    ("half a tenant", 400, "bad_tenant", lambda tenant: {"x-engagement-id": str(tenant.engagement_id)}),
    (
        "no tenant's id",
        400,
        "bad_tenant",
        lambda tenant: {"x-client-account-id": "1 or 1=1", "x-engagement-id": str(tenant.engagement_id)},
    ),
)


@pytest.mark.parametrize(("name", "status", "code", "headers"), REFUSED, ids=[case[0] for case in REFUSED])
async def test_every_route_refuses_strangers(
    platform: Platform, name: str, status: int, code: str, headers: Headers
) -> None:
    tenant = await platform.new_tenant()
    for method, path in EVERY_ROUTE:
        if status != 401 and (method, path) in TENANTLESS:
            continue
        response = await platform.client.request(
            method, filled(path, uuid7()), headers=headers(tenant), **arguments(method, path, uuid7())
        )
        assert (response.status_code, response.json()["code"]) == (status, code), (method, path, response.text)


async def test_without_a_key_the_header_is_asked_for(platform: Platform) -> None:
    del platform.client.headers["x-api-key"]
    for method, path in EVERY_ROUTE:
        response = await platform.client.request(method, filled(path, uuid7()), **arguments(method, path, uuid7()))
        assert (response.status_code, response.json()["code"]) == (401, "unknown_api_key"), (method, path)


async def test_a_request_that_names_no_tenant_works_in_the_default_one(platform: Platform) -> None:
    made = await platform.upload()
    assert (await platform.get("/imports", DEFAULT_TENANT))["items"] == [made]


async def test_a_cached_poll_is_not_told_to_another_tenant(platform: Platform) -> None:
    event = flow_updated(await platform.new_tenant())
    await platform.hear(event)
    path = f"/api/v1/polling/flow-status/{event.flow_id}"
    assert (await platform.client.get(path, headers=platform.of(event.tenant))).status_code == 200
    assert (await platform.client.get(path)).status_code == 404


async def test_another_tenants_flow_with_the_same_id_is_another_flow(platform: Platform) -> None:
    first = flow_updated(await platform.new_tenant(), status="running")
    second = first.model_copy(
        update={"id": uuid7(), "tenant": await platform.new_tenant(), "status": "failed", "revision": 9}
    )
    await platform.hear(first, second)
    assert (await platform.get(f"/flows/{first.flow_id}", first.tenant))["status"] == "running"
    assert (await platform.get(f"/flows/{first.flow_id}", second.tenant))["status"] == "failed"


async def test_an_event_of_a_tenant_that_nobody_made_shows_nowhere(platform: Platform) -> None:
    event = flow_updated(some_tenant())
    await platform.hear(event)
    response = await platform.client.get(f"/api/v1/flows/{event.flow_id}", headers=platform.of(event.tenant))
    assert (response.status_code, response.json()["code"]) == (404, "engagement_not_found")
