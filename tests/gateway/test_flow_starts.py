"""POST /flows for every flow type, its options, and what keeps too many flows from queueing."""

from typing import Any
from uuid import UUID

import pytest

from contracts.discovery import FieldMappingCompleted, TableMapping
from contracts.envelope import uuid7
from services.chassis.settings import Settings
from services.gateway.app import DEFAULT_TENANT
from tests.gateway import estate
from tests.gateway.platform import Platform, a_platform, flow_updated

REPOSITORY = {"flow_type": "modernization", "repository_url": "https://example.com/shop.git"}


async def a_discovery(platform: Platform, **more: Any) -> UUID:
    """A completed discovery of one file, with what it found."""
    made = await platform.upload(name="inventory.csv")
    started = await platform.post("/flows", {"import_ids": [made["import_id"]], "then": []})
    flow_id = UUID(started.json()["flow_id"])
    blobs, mapping = platform.runtime.blobs, TableMapping(table_id=uuid7(), file_name="a", kind="inventory", columns=[])
    await platform.hear(
        FieldMappingCompleted(tenant=DEFAULT_TENANT, flow_id=flow_id, mappings=[mapping], review_count=0),
        await estate.inventory(blobs, DEFAULT_TENANT, flow_id, [{"name": "web01"}]),
        await estate.dependencies(blobs, DEFAULT_TENANT, flow_id, [{"name": "Shop"}], []),
        flow_updated(flow_id=flow_id, status="completed", **more),
    )
    return flow_id


async def test_a_modernization_is_asked_for_as_it_was_described(platform: Platform) -> None:
    answer = await platform.post("/flows", {**REPOSITORY, "goals": ["Python 3.13"], "options": {"priority": 7}})
    assert answer.status_code == 202, answer.text
    shown = answer.json()
    assert (shown["flow_type"], shown["status"], shown["priority"]) == ("modernization", "queued", 7)
    told = await platform.told("modernization.requested")
    assert told["flowid"] == shown["flow_id"]
    assert told["data"]["repository_url"] == REPOSITORY["repository_url"]
    assert (told["data"]["goals"], told["data"]["options"]["priority"]) == (["Python 3.13"], 7)


@pytest.mark.parametrize(
    ("options", "status"),
    [({"hold": True}, "created"), ({"start_at": "2099-01-01T00:00:00Z"}, "scheduled"), ({}, "queued")],
)
async def test_a_flow_is_shown_as_it_was_asked_for(platform: Platform, options: dict[str, Any], status: str) -> None:
    asked = {**options, "correlation_id": "CHG-1", "concurrency_key": "shop"}
    shown = (await platform.post("/flows", {**REPOSITORY, "options": asked})).json()
    assert (shown["status"], shown["correlation_id"], shown["concurrency_key"]) == (status, "CHG-1", "shop")


@pytest.mark.parametrize(
    "body",
    [
        {"flow_type": "magic"},
        {"flow_type": "modernization"},
        {**REPOSITORY, "options": {"priority": 101}},
        {**REPOSITORY, "options": {"start_at": "2026-11-21T12:00:00"}},
        {**REPOSITORY, "options": {"version": 0}},
        {"flow_type": "collection", "import_ids": []},
    ],
)
async def test_a_request_that_makes_no_sense_names_the_place(platform: Platform, body: dict[str, Any]) -> None:
    answer = await platform.post("/flows", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["detail"].startswith("body")


async def test_a_collection_follows_a_completed_discovery(platform: Platform) -> None:
    discovery = await a_discovery(platform)
    body = {"flow_type": "collection", "discovery_flow_id": str(discovery), "fields": ["environment", "environment"]}
    answer = await platform.post("/flows", body)
    assert answer.status_code == 202, answer.text
    told = await platform.told("collection.requested")
    assert (told["data"]["discovery_flow_id"], told["data"]["fields"]) == (str(discovery), ["environment"])
    wrong = await platform.post("/flows", {**body, "fields": ["colour"]})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_field")


async def test_an_assessment_starts_from_what_a_discovery_found(platform: Platform) -> None:
    discovery = await a_discovery(platform)
    answer = await platform.post("/flows", {"flow_type": "assessment", "discovery_flow_id": str(discovery), "then": []})
    assert answer.status_code == 202, answer.text
    assert answer.json()["parent_flow_id"] == str(discovery)
    data = (await platform.told("assessment.requested"))["data"]
    assert set(data["inputs"]) == {"assets", "applications", "dependencies"}
    assert (data["report"]["files"], data["report"]["mappings"][0]["file_name"]) == (["inventory.csv"], "a")
    assert (data["report"]["quality"]["assets"], data["then"]) == (1, [])


async def test_a_planning_starts_from_an_assessment_and_its_discovery(platform: Platform) -> None:
    discovery, assessment = await a_discovery(platform), uuid7()
    await platform.hear(
        flow_updated(flow_id=assessment, flow_type="assessment", status="completed", parent_flow_id=discovery),
        await estate.treatments(platform.runtime.blobs, DEFAULT_TENANT, assessment, {"Shop": "rehost"}),
    )
    answer = await platform.post("/flows", {"flow_type": "planning", "assessment_flow_id": str(assessment)})
    assert answer.status_code == 202, answer.text
    data = (await platform.told("planning.requested"))["data"]
    assert set(data["inputs"]) == {"assets", "applications", "dependencies", "assessments"}


async def test_a_fork_hands_on_what_its_origin_found(platform: Platform) -> None:
    discovery, fork = await a_discovery(platform), uuid7()
    await platform.hear(flow_updated(flow_id=fork, status="completed", forked_from=discovery))
    answer = await platform.post("/flows", {"flow_type": "assessment", "discovery_flow_id": str(fork)})
    assert answer.status_code == 202, answer.text


async def test_only_what_has_completed_is_built_on(platform: Platform) -> None:
    running, empty = flow_updated(status="running"), flow_updated(status="completed")
    await platform.hear(running, empty)
    codes = {str(running.flow_id): "flow_not_completed", str(empty.flow_id): "results_not_kept"}
    for flow_id, code in codes.items():
        answer = await platform.post("/flows", {"flow_type": "assessment", "discovery_flow_id": flow_id})
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    answer = await platform.post("/flows", {"flow_type": "planning", "assessment_flow_id": str(running.flow_id)})
    assert (answer.status_code, answer.json()["code"]) == (404, "flow_not_found")


async def test_too_many_flows_that_have_not_begun_are_refused_for_now(settings: Settings) -> None:
    async with a_platform(settings.model_copy(update={"queued_flows_limit": 3})) as platform:
        for _ in range(3):
            last = await platform.post("/flows", REPOSITORY)
            assert last.status_code == 202
        refused = await platform.post("/flows", REPOSITORY)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_queued_flows")
        assert int(refused.headers["retry-after"]) > 0
        assert "3 flows" in refused.json()["detail"]
        assert len((await platform.get("/flows"))["items"]) == 3
        # Another tenant is not held up, and one that begins makes room.
        assert (await platform.post("/flows", REPOSITORY, await platform.new_tenant())).status_code == 202
        await platform.hear(flow_updated(flow_id=UUID(last.json()["flow_id"]), flow_type="modernization"))
        assert (await platform.post("/flows", REPOSITORY)).status_code == 202
