"""Flows from partial knowledge, with the reason, and nobody else's."""

from typing import Any
from uuid import UUID

import pytest

from contracts.discovery import DiscoveryStarted
from contracts.envelope import Tenant, uuid7
from services.gateway.app import DEFAULT_TENANT
from services.gateway.flows import search
from tests.gateway import estate
from tests.gateway.platform import Platform, flow_updated


async def found(platform: Platform, q: str, tenant: Tenant | None = None) -> dict[str, list[str]]:
    """The reasons by flow."""
    matches = await platform.get("/flows/search", tenant, q=q)
    return {match["flow"]["flow_id"]: match["reasons"] for match in matches["items"]}


async def a_known_flow(platform: Platform, tenant: Tenant = DEFAULT_TENANT) -> tuple[str, str]:
    """A discovery with a file, an asset, an application and a correlation id; its id and its import's."""
    made = await platform.upload(tenant=tenant, name="Rechenzentrum_2026.csv")
    flow_id = uuid7()
    blobs = platform.runtime.blobs
    await platform.hear(
        flow_updated(tenant, flow_id, correlation_id="CHG-004711", status="completed"),
        DiscoveryStarted(tenant=tenant, flow_id=flow_id, import_ids=[UUID(made["import_id"])]),
        await estate.inventory(blobs, tenant, flow_id, [{"name": "SHOP-WEB-01", "ip_address": "10.20.0.11"}]),
        await estate.dependencies(blobs, tenant, flow_id, [{"name": "Web shop"}], []),
    )
    return str(flow_id), made["import_id"]


@pytest.mark.parametrize(
    ("q", "reason"),
    [
        ("op-web-0", "it found the asset SHOP-WEB-01"),
        ("SHOP-WEB-01", "it found the asset SHOP-WEB-01"),
        ("10.20.0.", "it found the asset SHOP-WEB-01 with the address 10.20.0.11"),
        ("eb sho", "it found the application Web shop"),
        ("zentrum_2026", "it reads the file Rechenzentrum_2026.csv"),
        ("chg-0047", "its correlation id is CHG-004711"),
    ],
)
async def test_a_flow_is_found_by_what_people_know_of_it(platform: Platform, q: str, reason: str) -> None:
    flow_id, _ = await a_known_flow(platform)
    await platform.hear(flow_updated(correlation_id="other"))
    assert await found(platform, q) == {flow_id: [reason]}


async def test_a_flow_is_found_by_part_of_an_id(platform: Platform) -> None:
    flow_id, import_id = await a_known_flow(platform)
    for part in (flow_id, flow_id[-12:].upper(), flow_id[19:30]):
        assert f"its id is {flow_id}" in (await found(platform, part))[flow_id]
    assert f"it reads the import {import_id}" in (await found(platform, import_id[-12:]))[flow_id]


@pytest.mark.parametrize("q", ["shop%", "___", "a' or 1=1", "10.20.0.12", "\\", "zzz"])
async def test_what_matches_nothing_finds_nothing(platform: Platform, q: str) -> None:
    await a_known_flow(platform)
    if len(q) < 3:
        answer = await platform.client.get("/api/v1/flows/search", params={"q": q})
        assert (answer.status_code, answer.json()["code"]) == (422, "search_too_short")
    else:
        assert await found(platform, q) == {}


async def test_another_tenants_flows_are_not_found(platform: Platform) -> None:
    other = await platform.new_tenant()
    flow_id, import_id = await a_known_flow(platform, other)
    for q in ("shop-web", "10.20.0.11", "Web shop", "Rechenzentrum", "CHG-004711", flow_id, import_id):
        assert await found(platform, q) == {}
        assert set(await found(platform, q, other)) == {flow_id}


async def test_a_search_is_bounded_and_says_so(platform: Platform) -> None:
    flows = [flow_updated(correlation_id=f"batch-{n}") for n in range(60)]
    await platform.hear(*flows)
    matches: Any = await platform.get("/flows/search", q="batch-")
    assert (len(matches["items"]), matches["complete"]) == (50, False)
    assert (await platform.get("/flows/search", q="batch-59"))["complete"]


async def test_assets_are_looked_through_in_so_many_discoveries_and_that_is_said(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_INVENTORIES", 1)
    older, _ = await a_known_flow(platform)
    newer, _ = await a_known_flow(platform)
    matches: Any = await platform.get("/flows/search", q="shop-web")
    assert [match["flow"]["flow_id"] for match in matches["items"]] == [newer]
    assert not matches["complete"]
    assert set(await found(platform, "Web shop")) == {older, newer}
