"""Single assets over REST: origins that are computed when asked for, changes, pairs to decide, and splits."""

from typing import Any
from uuid import UUID

import pytest

from contracts import claim_checks
from contracts.assets import (
    AssetOriginCompleted,
    AssetOriginFailed,
    AssetSplitCompleted,
    FieldOrigin,
)
from contracts.envelope import Event, Problem, uuid7
from services.gateway.app import DEFAULT_TENANT
from tests.gateway import estate
from tests.gateway.platform import Platform, flow_updated

WEB, SHOP = estate.uid("web"), estate.uid("shop")
PAIR = {"asset_uid": WEB, "other_uid": SHOP, "name": "web", "other_name": "shop", "probability": 0.8, "evidence": "e"}
ORIGIN = FieldOrigin(field="memory_gb", value="16", reason="the only row that has it", conflict=False, cells=[])


async def found(platform: Platform, changes: list[dict[str, Any]] | None = None) -> UUID:
    """A completed discovery of two assets that might be one."""
    blobs, flow = platform.runtime.blobs, flow_updated(status="completed", phase=None)
    assert flow.flow_id is not None
    assets = [{"name": "web", "source_rows": "a.csv:2; a.csv:3"}, {"name": "shop"}]
    inventory = await estate.inventory(blobs, DEFAULT_TENANT, flow.flow_id, assets)
    lists = {"duplicates": await estate.stored(blobs, DEFAULT_TENANT, claim_checks.DUPLICATES, [PAIR])}
    if changes is not None:
        lists["change_list"] = await estate.stored(blobs, DEFAULT_TENANT, claim_checks.ASSET_CHANGES, changes)
    await platform.hear(flow, inventory.model_copy(update=lists))
    return flow.flow_id


async def asked(platform: Platform, uid: str = WEB) -> dict[str, Any]:
    response = await platform.client.get(f"/api/v1/assets/{uid}/origin")
    assert response.status_code == 202
    assert response.json()["status"] == "asked"
    return await platform.told("asset_origin.requested")


def answer(question: dict[str, Any], event: type[Event], **data: Any) -> Event:
    return event(tenant=DEFAULT_TENANT, flow_id=UUID(question["flowid"]), causation_id=UUID(question["id"]), **data)


async def test_an_origin_is_asked_for_once_and_told_when_it_is_there(platform: Platform) -> None:
    flow_id = await found(platform)
    question = await asked(platform)
    assert question["flowid"] == str(flow_id)
    assert question["data"] == {"asset_uid": WEB, "source_rows": "a.csv:2; a.csv:3"}
    assert (await asked(platform))["id"] == question["id"]
    told = answer(question, AssetOriginCompleted, asset_uid=UUID(WEB), fields=[ORIGIN], rules_changed=True)
    await platform.hear(told)
    origin = await platform.get(f"/assets/{WEB}/origin")
    assert (origin["status"], origin["rules_changed"]) == ("told", True)
    assert origin["fields"] == [ORIGIN.model_dump(mode="json")]


async def test_an_origin_that_cannot_be_told_says_why(platform: Platform) -> None:
    await found(platform)
    problem = Problem(code="origin_unknown", detail="Import its file again.")
    await platform.hear(answer(await asked(platform), AssetOriginFailed, problem=problem))
    origin = await platform.get(f"/assets/{WEB}/origin")
    assert (origin["status"], origin["problem"]["detail"]) == ("failed", "Import its file again.")


async def test_there_is_no_origin_of_an_asset_that_there_is_not(platform: Platform) -> None:
    await found(platform)
    for tenant in (None, await platform.new_tenant()):
        uid = WEB if tenant else uuid7()
        response = await platform.client.get(f"/api/v1/assets/{uid}/origin", headers=platform.of(tenant))
        assert response.status_code == 404
        assert response.json()["code"] == "asset_not_found"


async def test_changes_are_listed_by_kind(platform: Platform) -> None:
    changed = {"asset_uid": WEB, "name": "web", "change": "changed", "field": "cpu_cores", "before": "2", "after": "4"}
    gone = {"asset_uid": SHOP, "name": "shop", "change": "vanished"}
    await found(platform, [changed, gone])
    assert [item["name"] for item in (await platform.get("/asset-changes"))["items"]] == ["web", "shop"]
    (only,) = (await platform.get("/asset-changes", change="changed"))["items"]
    assert only == changed


async def test_a_pair_is_decided_by_a_person(platform: Platform) -> None:
    await found(platform)
    (pair,) = (await platform.get("/duplicates", undecided=True))["items"]
    assert pair == {**PAIR, "same": None, "decided_by": None}
    response = await platform.post(f"/duplicates/{SHOP}/{WEB}/decide", {"same": False})
    assert response.status_code == 202
    assert (await platform.told("duplicate.decided"))["data"] == {
        "asset_uid": SHOP,
        "other_uid": WEB,
        "same": False,
        "decided_by": response.json()["decided_by"],
    }
    assert (await platform.get("/duplicates", undecided=True))["items"] == []
    assert (await platform.get("/duplicates"))["items"][0]["same"] is False


async def test_a_pair_that_nobody_listed_cannot_be_decided(platform: Platform) -> None:
    await found(platform)
    for other in (WEB, str(uuid7())):
        response = await platform.post(f"/duplicates/{WEB}/{other}/decide", {"same": True})
        assert response.json()["code"] == "pair_not_found"


async def test_an_asset_is_split_by_its_rows(platform: Platform) -> None:
    flow_id = await found(platform)
    assert (await platform.post(f"/assets/{WEB}/split", {"source_rows": ["a.csv:3"]})).status_code == 202
    request = await platform.told("asset_split.requested")
    assert request["data"]["apart"] == ["a.csv:3"]
    other = estate.uid("other web")
    rows = [
        {"asset_uid": WEB, "name": "web", "source_rows": "a.csv:2"},
        {"asset_uid": other, "name": "web", "source_rows": "a.csv:3"},
    ]
    blob = await estate.stored(platform.runtime.blobs, DEFAULT_TENANT, claim_checks.ASSETS, rows)
    await platform.hear(
        AssetSplitCompleted(
            tenant=DEFAULT_TENANT, flow_id=flow_id, asset_uid=UUID(WEB), other_uid=UUID(other), assets=blob
        )
    )
    items = (await platform.get("/assets"))["items"]
    assert {item["asset_uid"]: item["source_rows"] for item in items} == {
        WEB: "a.csv:2",
        other: "a.csv:3",
        SHOP: "a.csv:2",
    }


@pytest.mark.parametrize("rows", [["a.csv:9"], ["a.csv:2", "a.csv:3"]])
async def test_a_split_that_leaves_nothing_or_names_other_rows_is_refused(platform: Platform, rows: list[str]) -> None:
    await found(platform)
    response = await platform.post(f"/assets/{WEB}/split", {"source_rows": rows})
    assert (response.status_code, response.json()["code"]) == (409, "not_its_rows")
