"""Schedules and limits over REST: what is refused with its place, and what the orchestrator is told."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from contracts.envelope import EVENT_TYPES, uuid7
from tests.gateway.platform import Platform, flow_updated

REPOSITORY = {"flow_type": "modernization", "repository_url": "https://example.com/shop.git"}


def body(**changes: Any) -> dict[str, Any]:
    return {"name": "nightly", "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "start": REPOSITORY, **changes}


async def create(platform: Platform, **changes: Any) -> dict[str, Any]:
    response = await platform.client.post("/api/v1/schedules", json=body(**changes))
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def test_a_schedule_is_told_with_the_request_that_it_makes_and_starts_nothing_itself(platform: Platform) -> None:
    made = await platform.upload()
    schedule = await create(platform, start={"import_ids": [made["import_id"]], "then": []})
    next_at = datetime.fromisoformat(schedule["next_at"])
    assert next_at > datetime.now(UTC)
    assert (await platform.get("/schedules"))["items"] == [schedule]
    await platform.settled()
    told = platform.heard.messages[-1]
    assert (told["type"], told["data"]["request_type"]) == ("flow_schedule.saved", "discovery.requested")
    assert (told["data"]["cron"], told["data"]["time_zone"], told["data"]["saved_by"]) == (
        "30 2 * * *", "Europe/Berlin", "operator",
    )  # fmt: skip
    data = told["data"]["request"]
    assert [file["import_id"] for file in data["files"]] == [made["import_id"]]
    tenant = {"client_account_id": told["clientaccountid"], "engagement_id": told["engagementid"]}
    assert EVENT_TYPES["discovery.requested"].model_validate({**data, "tenant": tenant})
    assert "discovery.requested" not in platform.heard.types()
    assert (await platform.get("/flows"))["items"] == []


@pytest.mark.parametrize(
    ("changes", "status", "place"),
    [
        ({"cron": "61 2 * * *"}, 422, "cron: Bad minute"),
        ({"cron": "@daily"}, 422, "cron: '@daily' does not have five fields"),
        ({"cron": "0 0 30 2 *"}, 422, "cron: Bad day-of-month"),
        ({"time_zone": "Berlin"}, 422, "time_zone: 'Berlin'"),
        ({"start": {"flow_type": "x"}}, 422, "body.start"),
        ({"start": {"flow_type": "discovery", "import_ids": ["x"]}}, 422, "body.start.discovery.import_ids.0"),
        ({"start": {"flow_type": "modernization"}}, 422, "body.start.modernization.repository_url"),
        ({"start": {"import_ids": [str(uuid4())]}}, 404, "There is no import"),
        ({"start": {**REPOSITORY, "options": {"start_at": "2026-12-01T00:00:00Z"}}}, 422, "start.options.start_at"),
        ({"start": {**REPOSITORY, "options": {"deadline": "2026-12-01T00:00:00Z"}}}, 422, "start.options.deadline"),
        ({"start": {**REPOSITORY, "options": {"priority": 1000}}}, 422, "options.priority"),
        ({"name": ""}, 422, "body.name"),
    ],
)
async def test_what_could_start_nothing_is_refused_with_its_place(
    platform: Platform, changes: dict[str, Any], status: int, place: str
) -> None:
    response = await platform.client.post("/api/v1/schedules", json=body(**changes))
    assert response.status_code == status
    assert place in response.json()["detail"]
    assert (await platform.get("/schedules"))["items"] == []
    assert "flow_schedule.saved" not in platform.heard.types()


async def test_a_schedule_is_switched_off_and_shown_so(platform: Platform) -> None:
    schedule = await create(platform)
    path = f"/api/v1/schedules/{schedule['schedule_id']}"
    off = (await platform.client.put(path, json=body(enabled=False))).json()
    assert (off["schedule_id"], off["enabled"], off["next_at"]) == (schedule["schedule_id"], False, None)
    await platform.settled()
    assert platform.heard.messages[-1]["data"]["enabled"] is False


async def test_a_schedule_shows_the_flows_that_it_started(platform: Platform) -> None:
    own, named = (
        await create(platform),
        await create(platform, start={**REPOSITORY, "options": {"correlation_id": "C"}}),
    )
    first = flow_updated().model_copy(update={"correlation_id": own["schedule_id"]})
    second = flow_updated().model_copy(update={"correlation_id": "C"})
    await platform.hear(first, second, flow_updated())
    for schedule, flow in ((own, first), (named, second)):
        shown = await platform.get(f"/schedules/{schedule['schedule_id']}")
        assert shown["flow_ids"] == [str(flow.flow_id)]


async def test_a_deleted_schedule_is_gone(platform: Platform) -> None:
    schedule = await create(platform)
    path = f"/api/v1/schedules/{schedule['schedule_id']}"
    gone = await platform.client.delete(path)
    assert (gone.status_code, gone.json()["schedule_id"]) == (200, schedule["schedule_id"])
    await platform.settled()
    told = platform.heard.messages[-1]
    assert (told["type"], told["data"]["deleted_by"]) == ("flow_schedule.deleted", "operator")
    for method in ("get", "delete"):
        response = await getattr(platform.client, method)(path)
        assert (response.status_code, response.json()["code"]) == (404, "schedule_not_found")
    replaced = await platform.client.put(f"/api/v1/schedules/{uuid7()}", json=body())
    assert replaced.status_code == 404


async def test_a_schedule_of_another_tenant_does_not_exist(platform: Platform) -> None:
    schedule, other = await create(platform), await platform.new_tenant()
    path = f"/api/v1/schedules/{schedule['schedule_id']}"
    assert (await platform.get("/schedules", other))["items"] == []
    for response in (
        await platform.client.get(path, headers=platform.of(other)),
        await platform.client.put(path, headers=platform.of(other), json=body()),
        await platform.client.delete(path, headers=platform.of(other)),
    ):
        assert response.status_code == 404


async def test_limits_are_the_defaults_until_somebody_sets_them(platform: Platform) -> None:
    assert await platform.get("/limits") == {"weight": 1, "running_flows": None, "saved_by": None, "saved_at": None}
    response = await platform.client.put("/api/v1/limits", json={"weight": 3, "running_flows": 50})
    assert (response.status_code, response.json()["saved_by"]) == (200, "operator")
    assert await platform.get("/limits") == response.json()
    await platform.settled()
    told = platform.heard.messages[-1]
    assert (told["type"], told["data"]["weight"], told["data"]["running_flows"]) == ("tenant_limits.saved", 3, 50)


async def test_limits_belong_to_one_tenant(platform: Platform) -> None:
    other = await platform.new_tenant()
    await platform.client.put("/api/v1/limits", json={"weight": 3})
    assert (await platform.get("/limits", other))["weight"] == 1


@pytest.mark.parametrize("limits", [{"weight": 0}, {"weight": 101}, {"running_flows": 0}, {"running_flows": "x"}])
async def test_impossible_limits_are_refused(platform: Platform, limits: dict[str, Any]) -> None:
    response = await platform.client.put("/api/v1/limits", json=limits)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["/schedules", "/limits", "/performance"])
async def test_a_key_is_needed(platform: Platform, path: str) -> None:
    response = await platform.client.get(f"/api/v1{path}", headers={"x-api-key": "wrong"})
    assert response.status_code == 401
