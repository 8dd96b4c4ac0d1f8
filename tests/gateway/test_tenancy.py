"""Every route for its own tenant, another's, none, half of one, without a key and with a wrong one."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.envelope import PLATFORM, Tenant, uuid7
from contracts.planning import ReportCompleted
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.gateway.app import DEFAULT_TENANT, create_api, service
from tests.gateway import estate
from tests.gateway.platform import KEY, Platform, approval_requested, flow_updated
from tests.gateway.test_operations import dead

# Routes by method and path, with what fills their parameters and bodies.
OWN_THINGS = {
    ("GET", "/flows/{flow_id}"): "flow",
    ("GET", "/polling/flow-status/{flow_id}"): "flow",
    ("GET", "/flows/{flow_id}/mappings"): "flow",
    ("GET", "/flows/{flow_id}/timeline"): "flow",
    ("GET", "/flows/{flow_id}/requests/{request_id}"): "flow",
    ("POST", "/flows/{flow_id}/{action}"): "flow",
    ("POST", "/flows/{flow_id}/fork"): "flow",
    ("DELETE", "/flows/{flow_id}"): "flow",
    ("GET", "/assets/{asset_uid}/origin"): "asset",
    ("POST", "/assets/{asset_uid}/split"): "asset",
    ("POST", "/duplicates/{asset_uid}/{other_uid}/decide"): "asset",
    ("GET", "/flow-repairs/{repair_id}"): "repair",
    ("GET", "/approvals/{task_id}"): "task",
    ("POST", "/approvals/{task_id}/decision"): "task",
    ("GET", "/reports/{flow_id}/{format}"): "flow",
    ("GET", "/dead-letters/{dead_letter_id}"): "letter",
    ("POST", "/dead-letters/{dead_letter_id}/replay"): "letter",
    ("POST", "/dead-letters/{dead_letter_id}/drop"): "letter",
    ("GET", "/audit/verifications/{verification_id}"): "verification",
    ("GET", "/schedules/{schedule_id}"): "schedule",
    ("PUT", "/schedules/{schedule_id}"): "schedule",
    ("DELETE", "/schedules/{schedule_id}"): "schedule",
}
LISTS = (
    *("/imports", "/flows", "/approvals", "/assets", "/applications", "/dependencies", "/treatments", "/waves"),
    *("/rejected-rows", "/cell-problems", "/dead-letters", "/schedules"),
    *("/asset-changes", "/duplicates", "/quality/figures", "/quality/failures"),
)
OTHERS = {
    ("POST", "/engagements"),
    ("GET", "/engagements/current"),
    ("POST", "/imports"),
    ("POST", "/flows"),
    ("GET", "/flows/search"),
    ("POST", "/flow-repairs"),
    ("POST", "/schedules"),
    ("GET", "/limits"),
    ("PUT", "/limits"),
    ("GET", "/performance"),
    ("GET", "/quality"),
    ("POST", "/audit/verifications"),
}
SCHEDULE = {
    "name": "nightly",
    "cron": "30 2 * * *",
    "time_zone": "Europe/Berlin",
    "start": {"flow_type": "modernization", "repository_url": "https://example.com/shop.git"},
}
EVERY_ROUTE = sorted([*OWN_THINGS, *(("GET", path) for path in LISTS), *OTHERS])
# A tenant is what this one makes, so it works in none.
TENANTLESS = {("POST", "/engagements")}


def routes_of_the_document() -> Iterator[tuple[str, str]]:
    settings = Settings(database_url="postgresql://localhost/none", blob_url="memory:///")
    document = create_api(Runtime(service, settings, InProcessBus())).openapi()
    for path, operations in document["paths"].items():
        if path.startswith("/api/v1"):
            yield from ((method.upper(), path.removeprefix("/api/v1")) for method in operations)


def test_every_route_is_tried() -> None:
    assert sorted(routes_of_the_document()) == EVERY_ROUTE


async def a_full_tenant(platform: Platform) -> tuple[Tenant, dict[str, UUID | str]]:
    """A tenant with one of everything, and the ids of its things."""
    tenant = await platform.new_tenant()
    made = await platform.upload(tenant=tenant)
    flow = flow_updated(tenant, status="completed", phase=None)
    assert flow.flow_id is not None
    task = approval_requested(tenant, flow.flow_id)
    asked = await platform.client.post("/api/v1/audit/verifications", headers=platform.of(tenant))
    repair = await platform.post("/flow-repairs", {}, tenant)
    schedule = await platform.post("/schedules", SCHEDULE, tenant)
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
        "import": made["import_id"],
    }


def filled(path: str, thing: object) -> str:
    """A route's path with this id in it."""
    ids = ("flow_id", "task_id", "dead_letter_id", "verification_id", "repair_id", "request_id", "schedule_id")
    for name in (*ids, "asset_uid", "other_uid"):
        path = path.replace(f"{{{name}}}", str(thing))
    return "/api/v1" + path.replace("{format}", "html").replace("{action}", "pause")


def arguments(method: str, path: str, import_id: object) -> dict[str, Any]:
    """A valid query and body of a route."""
    bodies: dict[str, dict[str, Any]] = {
        "/engagements": {"json": {"client_name": "x", "engagement_name": "y"}},
        "/imports": {"params": {"file_name": "x.csv"}, "content": b"a\n"},
        "/flows": {"json": {"import_ids": [str(import_id)]}},
        "/approvals/{task_id}/decision": {"json": {"decision": "approve"}},
        "/flows/{flow_id}/fork": {"json": {"seq": 1}},
        "/flow-repairs": {"json": {}},
        "/assets/{asset_uid}/split": {"json": {"source_rows": ["a.csv:2"]}},
        "/duplicates/{asset_uid}/{other_uid}/decide": {"json": {"same": True}},
        "/schedules": {"json": SCHEDULE},
        "/schedules/{schedule_id}": {"json": SCHEDULE},
        "/limits": {"json": {"weight": 2}},
    }
    if path == "/flows/search":
        return {"params": {"q": "web01"}}
    return bodies.get(path, {}) if method in ("POST", "PUT") else {}


async def test_what_belongs_to_another_tenant_does_not_exist(platform: Platform) -> None:
    _, things = await a_full_tenant(platform)
    other = await platform.new_tenant()
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
        if path.endswith(("/mappings", "/drop", "/replay", "/{action}", "/fork", "/split", "/decide")):
            continue
        response = await platform.client.request(
            method, filled(path, things[kind]), headers=platform.of(tenant), **arguments(method, path, None)
        )
        assert response.status_code in (200, 202), (method, path, response.text)
    shown = await platform.get("/engagements/current", tenant)
    assert Tenant.model_validate(shown) == tenant


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
