"""The main job without a model, with one, and with one that fails half of its calls: all finish and say so."""

import asyncio
from typing import Any

import pytest

from services.agent_runner.models import calling
from services.chassis.bus.in_process import InProcessBus
from services.chassis.settings import Settings
from tests.conftest import declared_services
from tests.e2e.platform import Platform, a_platform
from tests.e2e.rest import Followed, Json, RestClient
from tests.e2e.test_learning import EXPORT, taught
from tests.model_answers import otherwise
from tests.model_server import ModelServer, model_server

pytestmark = pytest.mark.xdist_group("crewai")

HINT = {"lessons": [{"column": "Xyzzy", "field": "cluster"}], "source_id": "00000000-0000-0000-0000-000000000001"}


async def the_main_job(platform: Platform, stub: ModelServer | None, **more: Any) -> tuple[RestClient, Followed]:
    """A discovery with a doubtful column, its assessment and planning, of a tenant whose model is the stub, if any."""
    client, _ = await platform.client.in_new_tenant()
    if stub is not None:
        configured = {"model_base_urls": {"compatible": stub.url}, "models": {"default": "compatible/stub"}, **more}
        for key, value in configured.items():
            body = {"value": value, "reason": "a test"}
            answer = await client.answer("PUT", f"/configuration/{key}", json=body)
            assert answer.is_success, answer.text
        await platform.settled()
        for runtime in platform.runtimes.values():
            runtime.configuration.forget()
    await taught(client, HINT)
    flow_id = await client.start([await client.upload(EXPORT.encode(), "servers.csv")])
    return client, await client.follow(flow_id)


def opinions(followed: Followed) -> Any:
    """What the person at the mapping's gate saw of an agent."""
    return followed.tasks["field_mapping"]["details"].get("advice")


async def treatments_of(client: RestClient) -> list[Json]:
    return await client.every("/treatments")


async def test_the_main_job_finishes_with_any_model_and_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(calling, "wait", at_once)
    allowed = settings.model_copy(update={"outbound_allowed": "http://127.0.0.1:*"})
    bus = InProcessBus()
    async with a_platform(declared_services(), allowed, lambda _: bus) as platform, model_server() as stub:
        stub.answering = otherwise
        client, followed = await the_main_job(platform, None)
        assert {flow["status"] for flow in followed.flows.values()} == {"completed"}
        assert opinions(followed) is None
        alone = await treatments_of(client)
        assert {row["suggestion"] for row in alone} == {None}
        assert stub.chats() == []

        client, followed = await the_main_job(platform, stub)
        assert {flow["status"] for flow in followed.flows.values()} == {"completed"}
        advice = opinions(followed)
        assert (advice["engine"], advice["model"], advice["differs"]) == ("model", "compatible/stub", True)
        assert advice["output"]["answers"][0]["field"] == "support_group"
        suggested = await treatments_of(client)
        assert sorted(row["strategy"] for row in suggested) == sorted(row["strategy"] for row in alone)
        assert {row["suggestion"] for row in suggested} <= {None, "retire"}
        assert {row["risk_suggestion"] for row in alone} == {None}
        assert sorted(row["risk_level"] for row in suggested) == sorted(row["risk_level"] for row in alone)
        assert {row["risk_suggestion"] for row in suggested} <= {None, "high"}

        before = len(stub.chats())
        client, followed = await the_main_job(platform, stub, sealed_inventory=True)
        assert followed.last["status"] == "completed"
        assert len(stub.chats()) == before, "a model was shown what this tenant seals"

        stub.fail_share, stub.share_fault, before = 0.5, "500", len(stub.chats())
        client, followed = await the_main_job(platform, stub)
        assert {flow["status"] for flow in followed.flows.values()} == {"completed"}
        said = opinions(followed)
        assert said["engine"] == "model" or said["fallback"]["detail"]
        assert len(stub.chats()) > before
        await platform.settled()
        assert await client.get("/dead-letters") == {"items": [], "next_cursor": None}
