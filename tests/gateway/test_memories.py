"""The memory of agents over REST: listed, shown, exported, and forgotten at once, whatever order news come in."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2

from contracts.agent_memory import AgentMemoryDropped, AgentMemoryStored, Memory
from contracts.configuration import SEALED_INVENTORY
from contracts.envelope import Tenant, uuid7
from services.chassis.testing import eventually
from services.gateway.app import DEFAULT_TENANT
from tests.gateway.platform import Platform

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def a_memory(text: str = "The column “RAM_GB” means Memory.", **more: Any) -> Memory:
    given = {"kind": "lesson", "agents": ["cmdb_analyst"], "by": "Ann", "at": AT, "memory_id": uuid7()}
    return Memory.model_validate(
        {"text": text, "source_event": UUID(int=3), "source_type": "field_mapping.learned"} | given | more
    )


def kept(*memories: Memory, revision: int = 1, tenant: Tenant = DEFAULT_TENANT) -> AgentMemoryStored:
    return AgentMemoryStored(tenant=tenant, revision=revision, memories=list(memories))


def forgotten(*memories: Memory, revision: int = 2, tenant: Tenant = DEFAULT_TENANT) -> AgentMemoryDropped:
    ids = [each.memory_id for each in memories]
    return AgentMemoryDropped(tenant=tenant, revision=revision, memory_ids=ids, reason="undone")


async def texts(platform: Platform, tenant: Tenant | None = None, **asked: Any) -> list[str]:
    return sorted(each["text"] for each in (await platform.get("/memories", tenant, **asked))["items"])


async def delete(platform: Platform, path: str, tenant: Tenant | None = None) -> httpx2.Response:
    return await platform.client.delete(f"/api/v1{path}", headers=platform.of(tenant))


async def test_what_agents_remember_is_listed_page_by_page_and_shown(platform: Platform) -> None:
    lesson = a_memory()
    plan = a_memory("The plan of waves was rejected: “100%”", kind="wave_plan", agents=["wave_planner"])
    await platform.hear(kept(lesson, plan))
    assert await texts(platform) == sorted([plan.text, lesson.text])
    assert await texts(platform, kind="wave_plan") == [plan.text]
    assert await texts(platform, agent="cmdb_analyst") == [lesson.text]
    assert await texts(platform, text="ram_gb") == [lesson.text]
    assert await texts(platform, text="0%") == [plan.text]
    assert await texts(platform, agent="cmdb", text="%") == []
    first = await platform.get("/memories", limit=1)
    second = await platform.get("/memories", limit=1, cursor=first["next_cursor"])
    assert {first["items"][0]["text"], second["items"][0]["text"]} == {lesson.text, plan.text}
    shown = await platform.get(f"/memories/{plan.memory_id}")
    assert (shown["by"], shown["kind"], shown["source_event"]) == ("Ann", "wave_plan", str(plan.source_event))
    assert (await delete(platform, f"/memories/{uuid7()}")).json()["code"] == "memory_not_found"


async def test_an_export_has_all_oldest_first_and_is_audited(platform: Platform) -> None:
    memories = [a_memory(f"{number}", at=AT - timedelta(days=number)) for number in range(3)]
    await platform.hear(kept(*memories))
    document = await platform.get("/memories/document")
    assert [Memory.model_validate(each).text for each in document["memories"]] == ["2", "1", "0"]
    told = (await platform.told("agent_memory.exported"))["data"]
    assert (told["memories"], told["exported_by"]) == (3, "operator")


async def test_what_is_forgotten_is_gone_at_once_and_its_text_with_it(platform: Platform) -> None:
    other = await platform.new_tenant()
    here, there, third = a_memory("here"), a_memory("there"), a_memory("third")
    await platform.hear(kept(here, third), kept(there, tenant=other))
    assert (await delete(platform, f"/memories/{there.memory_id}")).status_code == 404
    assert (await delete(platform, f"/memories/{here.memory_id}")).json() == {"forgotten": 1}
    told = (await platform.told("agent_memory_forgetting.requested"))["data"]
    assert (told["memory_ids"], told["requested_by"]) == ([str(here.memory_id)], "operator")
    assert await texts(platform) == ["third"]
    assert (await delete(platform, f"/memories/{here.memory_id}")).status_code == 404
    # News of before it was forgotten come late.
    await platform.hear(kept(here), forgotten(here, revision=3), kept(here, revision=2))
    assert await texts(platform) == ["third"]
    assert (await delete(platform, "/memories")).json() == {"forgotten": 1}
    assert (await platform.told("agent_memory_forgetting.requested"))["data"]["memory_ids"] is None
    assert (await texts(platform), await texts(platform, other)) == ([], ["there"])
    assert (await platform.get("/memories/document"))["memories"] == []
    await platform.hear(kept(here, revision=4))
    assert await texts(platform) == ["here"], "it was taught again"


async def test_of_a_sealed_inventory_nothing_is_remembered_and_nothing_stays(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    await platform.hear(kept(a_memory("web01 is old"), tenant=tenant), kept(a_memory("ours")))
    body = {"value": True, "reason": "a test"}
    path = f"/api/v1/configuration/{SEALED_INVENTORY.name}"
    assert (await platform.client.put(path, json=body, headers=platform.of(tenant))).is_success
    await platform.settled()

    async def gone() -> bool:
        await platform.runtime.inventory_sealing.look()
        return not await texts(platform, tenant)

    await eventually(gone)
    await platform.hear(kept(a_memory("web02 is old"), tenant=tenant))
    assert (await texts(platform, tenant), await texts(platform)) == ([], ["ours"])
