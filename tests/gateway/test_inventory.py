"""Lists of what was found: filled from Parquet files, filtered, and paged through by cursor."""

import base64
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import uuid7
from services.gateway.app import DEFAULT_TENANT
from tests.gateway import estate
from tests.gateway.platform import Platform, flow_updated

LISTS = ("assets", "applications", "dependencies", "treatments", "waves", "rejected-rows", "cell-problems")


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


async def found(platform: Platform, assets: list[dict[str, Any]], flow_id: UUID | None = None) -> UUID:
    """A completed discovery with these assets."""
    flow = flow_updated(flow_id=flow_id, status="completed", phase=None)
    assert flow.flow_id is not None
    await platform.hear(flow, await estate.inventory(platform.runtime.blobs, DEFAULT_TENANT, flow.flow_id, assets))
    return flow.flow_id


async def names(platform: Platform, path: str = "/assets", **params: Any) -> list[str]:
    return sorted(item["name"] for item in (await platform.get(path, **params))["items"])


async def test_an_asset_shows_its_fields_and_the_other_filled_ones_as_attributes(platform: Platform) -> None:
    row = {"name": "web1", "environment": "production", "cpu_cores": 4, "memory_gb": 16.5, "cluster": 'c"1', "rto": 4.0}
    await found(platform, [row])
    (asset,) = (await platform.get("/assets"))["items"]
    assert {key: asset[key] for key in row if key in asset} == {k: v for k, v in row.items() if k in asset}
    assert asset["attributes"] == {"cluster": 'c"1', "rto": 4.0}
    assert asset["asset_uid"] == estate.uid("web1")


async def test_an_attribute_that_one_asset_lacks_is_left_out_of_it(platform: Platform) -> None:
    await found(platform, [{"name": "a", "cluster": "c1"}, {"name": "b", "is_virtual": True}, {"name": "c"}])
    items = (await platform.get("/assets"))["items"]
    shown = {item["name"]: item["attributes"] for item in items}
    assert shown == {"a": {"cluster": "c1"}, "b": {"is_virtual": True}, "c": {}}


async def test_an_attribute_keeps_its_type_and_its_text(platform: Platform) -> None:
    text = 'a","cluster":null,"x\\":null,}'
    filled = {"cluster": text, "eol_date": date(2027, 1, 31), "last_seen": datetime(2026, 1, 2, 3, 4), "cost": 0.5}  # noqa: DTZ001 - the layout has no zone
    await found(platform, [{"name": "a", **filled}, {"name": "b", "model": "m"}])
    shown = {item["name"]: item["attributes"] for item in (await platform.get("/assets"))["items"]}
    assert {key: shown["a"][key] for key in ("cluster", "eol_date", "cost")} == {
        "cluster": text,
        "eol_date": "2027-01-31",
        "cost": 0.5,
    }
    assert shown["a"]["last_seen"].startswith("2026-01-02")
    assert shown["b"] == {"model": "m"}


async def test_text_that_looks_like_csv_or_null_arrives_as_it_was(platform: Platform) -> None:
    odd = ['quote " and, comma', "line\nbreak", "\\N", "NULL", " padded ", "ünïcödé", "back\\slash"]
    await found(platform, [{"name": name} for name in odd])
    assert await names(platform) == sorted(odd)


async def test_an_empty_inventory_is_an_empty_list(platform: Platform) -> None:
    await found(platform, [])
    for path in LISTS:
        assert await platform.get(f"/{path}") == {"items": [], "next_cursor": None}


async def test_without_any_flow_every_list_is_empty(platform: Platform) -> None:
    for path in LISTS:
        assert await platform.get(f"/{path}") == {"items": [], "next_cursor": None}


async def test_the_newest_completed_flow_is_listed_unless_another_is_named(platform: Platform) -> None:
    first = await found(platform, [{"name": "old"}])
    await found(platform, [{"name": "new"}])
    running = flow_updated()
    assert running.flow_id is not None
    await platform.hear(
        running,
        await estate.inventory(platform.runtime.blobs, DEFAULT_TENANT, running.flow_id, [{"name": "unfinished"}]),
    )
    assert await names(platform) == ["new"]
    assert await names(platform, flow_id=first) == ["old"]
    assert await names(platform, flow_id=running.flow_id) == ["unfinished"]


async def test_a_second_attempt_replaces_what_the_first_found(platform: Platform) -> None:
    flow_id = await found(platform, [{"name": "a"}, {"name": "b"}])
    await found(platform, [{"name": "b"}, {"name": "c"}], flow_id)
    assert await names(platform) == ["b", "c"]


async def test_an_event_that_comes_twice_shows_its_rows_once(platform: Platform) -> None:
    flow = flow_updated(status="completed")
    assert flow.flow_id is not None
    event = await estate.inventory(platform.runtime.blobs, DEFAULT_TENANT, flow.flow_id, [{"name": "a"}])
    await platform.hear(flow, event)
    await platform.hear(event)
    assert await names(platform) == ["a"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"q": "WEB"}, ["web%1", "web_2", "webx3"]),
        ({"q": "b%1"}, ["web%1"]),
        ({"q": "b_"}, ["web_2"]),
        ({"q": "\\"}, ["db\\4"]),
        ({"environment": "PRODUCTION"}, ["web%1"]),
        ({"environment": "prod%"}, []),
        ({"environment": "pro_uction"}, []),
        ({"environment": "a\\b"}, ["db\\4"]),
        ({"operating_system": "linux"}, ["web%1", "web_2"]),
        ({"operating_system": "%"}, []),
        ({"application_name": "shop", "q": "2"}, ["web_2"]),
        ({"asset_type": "virtual_machine"}, ["webx3"]),
    ],
)
async def test_assets_are_filtered_and_wildcards_are_plain_characters(
    platform: Platform, params: dict[str, str], expected: list[str]
) -> None:
    await found(
        platform,
        [
            {"name": "web%1", "environment": "production", "operating_system": "Ubuntu Linux"},
            {"name": "web_2", "application_name": "Shop", "operating_system": "Red Hat Linux"},
            {"name": "webx3", "asset_type": "virtual_machine"},
            {"name": "db\\4", "environment": "a\\b"},
        ],
    )
    assert await names(platform, **params) == expected


async def test_assets_that_lack_a_field_are_listed_page_by_page_and_by_type(platform: Platform) -> None:
    own = (await platform.post("/fields", {"label": "Rack unit"})).json()["field_id"]
    assets: list[dict[str, Any]] = [
        {"name": "full", "asset_type": "vm", "memory_gb": 4.0, "cluster": "c1"},
        {"name": "no-memory", "asset_type": "vm", "cluster": "c1"},
        {"name": "no-cluster", "asset_type": "server", "memory_gb": 4.0},
        {"name": "bare"},
    ]
    await found(platform, assets)
    assert await names(platform, missing="memory_gb") == ["bare", "no-memory"]
    assert await names(platform, missing="memory_gb", asset_type="VM") == ["no-memory"]
    assert await names(platform, missing="memory_gb", asset_type="unknown") == ["bare"]
    assert await names(platform, missing="cluster") == ["bare", "no-cluster"]
    assert await names(platform, missing=own) == sorted(asset["name"] for asset in assets)
    first = await platform.get("/assets", missing="cluster", limit=1)
    second = await platform.get("/assets", missing="cluster", limit=1, cursor=first["next_cursor"])
    assert sorted(page["items"][0]["name"] for page in (first, second)) == ["bare", "no-cluster"]
    assert second["next_cursor"] is None
    response = await platform.client.get("/api/v1/assets", params={"missing": "memory"})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_field")


async def test_pages_are_stable_while_rows_come_and_go(platform: Platform) -> None:
    flow_id = uuid7()
    assets = [{"name": f"host{number}"} for number in range(25)]
    await found(platform, assets, flow_id)
    first = await platform.get("/assets", limit=10)
    # The first page's rows vanish and others come before the cursor: the following pages stay the same.
    rest = sorted(assets, key=lambda asset: estate.uid(asset["name"]))[10:]
    await found(platform, rest, flow_id)
    second = await platform.get("/assets", limit=10, cursor=first["next_cursor"])
    third = await platform.get("/assets", limit=10, cursor=second["next_cursor"])
    assert third["next_cursor"] is None
    listed = [item["name"] for page in (first, second, third) for item in page["items"]]
    assert len(listed) == 25
    assert set(listed) == {asset["name"] for asset in assets}


async def test_a_full_last_page_has_no_cursor(platform: Platform) -> None:
    await found(platform, [{"name": f"h{number}"} for number in range(4)])
    page = await platform.get("/assets", limit=4)
    assert (len(page["items"]), page["next_cursor"]) == (4, None)


@pytest.mark.parametrize("path", [*LISTS, "imports", "flows", "approvals", "dead-letters"])
@pytest.mark.parametrize(
    "cursor",
    [
        "%%%",
        "ü",
        "a",
        "",
        encoded("not a key"),
        base64.urlsafe_b64encode(b"\xff").decode(),
        encoded("9" * 20),
        encoded("9" * 5_000),
    ],
)
async def test_a_foreign_cursor_is_refused(platform: Platform, path: str, cursor: str) -> None:
    response = await platform.client.get(f"/api/v1/{path}", params={"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize("limit", [0, 501, "x"])
async def test_a_page_has_1_to_500_items(platform: Platform, limit: int | str) -> None:
    response = await platform.client.get("/api/v1/assets", params={"limit": limit})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_rows_that_could_not_be_read_are_listed_with_their_place(platform: Platform) -> None:
    flow = flow_updated(status="completed")
    assert flow.flow_id is not None
    place = {"table_id": str(uuid7()), "file_name": "a.xlsx", "sheet": "S", "row": 7, "reason": "no name"}
    event = await estate.inventory(
        platform.runtime.blobs,
        DEFAULT_TENANT,
        flow.flow_id,
        [{"name": "a"}],
        rejected=[{**place, "raw": '{"Name": "", "OS": "x"}'}, {**place, "row": 8, "raw": "{}"}],
        problems=[{**place, "column": "RAM", "field": "memory_gb", "raw": "lots"}],
    )
    await platform.hear(flow, event)
    first, second = (await platform.get("/rejected-rows"))["items"]
    assert first == {"file_name": "a.xlsx", "sheet": "S", "row": 7, "reason": "no name", "raw": {"Name": "", "OS": "x"}}
    assert second["row"] == 8
    (cell,) = (await platform.get("/cell-problems"))["items"]
    assert (cell["column"], cell["field"], cell["raw"], cell["row"]) == ("RAM", "memory_gb", "lots", 7)
    page = await platform.get("/rejected-rows", limit=1)
    following = await platform.get("/rejected-rows", limit=1, cursor=page["next_cursor"])
    assert [item["row"] for item in page["items"] + following["items"]] == [7, 8]


async def test_applications_and_dependencies_are_listed(platform: Platform) -> None:
    flow = flow_updated(status="completed")
    assert flow.flow_id is not None
    applications: list[dict[str, Any]] = [
        {"name": "Shop"},
        {"name": "Ledger", "inferred": True, "business_owner": "Ada"},
        {"name": "Mail"},
    ]
    pairs: list[dict[str, Any]] = [
        {"source_name": "Shop", "target_name": "Ledger", "port": 443, "observations": 3},
        {"source_name": "Shop", "target_name": "Ledger", "port": 5432},
        {"source_name": "Mail", "target_name": "Shop", "kind": "declared"},
    ]
    event = await estate.dependencies(platform.runtime.blobs, DEFAULT_TENANT, flow.flow_id, applications, pairs)
    await platform.hear(flow, event)
    assert await names(platform, "/applications") == ["Ledger", "Mail", "Shop"]
    assert await names(platform, "/applications", inferred=True) == ["Ledger"]
    assert await names(platform, "/applications", q="sho") == ["Shop"]
    assert len((await platform.get("/dependencies"))["items"]) == 3
    of_mail = (await platform.get("/dependencies", application_uid=estate.uid("Mail")))["items"]
    assert [(item["source_name"], item["target_name"], item["port"]) for item in of_mail] == [("Mail", "Shop", None)]


async def test_treatments_are_listed_by_strategy(platform: Platform) -> None:
    flow = flow_updated(flow_type="assessment", status="completed")
    assert flow.flow_id is not None
    strategies = {"Shop": "rehost", "Mail": "retire"}
    await platform.hear(flow, await estate.treatments(platform.runtime.blobs, DEFAULT_TENANT, flow.flow_id, strategies))
    assert await names(platform, "/treatments") == ["Mail", "Shop"]
    assert await names(platform, "/treatments", strategy="retire") == ["Mail"]
    response = await platform.client.get("/api/v1/treatments", params={"strategy": "pray"})
    assert response.status_code == 422


async def test_waves_come_pilot_first_and_a_new_plan_replaces_them(platform: Platform) -> None:
    flow = flow_updated(flow_type="planning", status="completed")
    assert flow.flow_id is not None
    planned = [f"Wave {number}" for number in range(1, 13)]
    await platform.hear(flow, estate.waves(DEFAULT_TENANT, flow.flow_id, planned))
    shown = (await platform.get("/waves"))["items"]
    assert [wave["name"] for wave in shown] == planned
    assert [wave["number"] for wave in shown] == list(range(1, 13))
    await platform.hear(estate.waves(DEFAULT_TENANT, flow.flow_id, ["Only"]))
    assert [wave["name"] for wave in (await platform.get("/waves"))["items"]] == ["Only"]
    await platform.hear(estate.waves(DEFAULT_TENANT, flow.flow_id, []))
    assert (await platform.get("/waves"))["items"] == []
