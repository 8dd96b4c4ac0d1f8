"""Configuration over REST: levels, history, versions, and secrets that nobody reads again."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text

from contracts import configuration, mcp_configuration, model_configuration
from contracts.configuration import (
    FLOWS_PER_DAY,
    KEYS,
    READINESS_GATE,
    READINESS_THRESHOLDS,
    SEALED_INVENTORY,
    SEPARATION_OF_DUTIES,
    Key,
)
from contracts.envelope import PLATFORM, Tenant
from contracts.mcp_configuration import MCP_KEYS
from contracts.model_configuration import (
    MODEL_BASE_URLS,
    MODEL_CACHE_SECONDS,
    MODEL_ESCALATION_BELOW,
    MODEL_FALLBACKS,
    MODEL_PROVIDER_KEYS,
    MODEL_REDACTION,
    MODELS,
)
from services.chassis.configuration import configured
from services.gateway.app import service
from tests.gateway.platform import Platform

SECRET: Key[str | None] = Key(
    name="model_key",
    kind=str | None,
    default=None,
    description="A secret of tests",
    read_by=("agent_runner",),
    secret=True,
)
PLAIN = "sk-very-secret-2f9c"


@pytest.fixture
def secret_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[Key[str | None]]:
    """A key whose values are secrets."""
    with monkeypatch.context() as patch:
        patch.setattr(configuration, "KEYS", KEYS)
        patch.setitem(KEYS, SECRET.name, SECRET)
        yield SECRET


def client_of(tenant: Tenant) -> Tenant:
    return Tenant(client_account_id=tenant.client_account_id, engagement_id=UUID(int=0))


async def put(
    platform: Platform, key: str, value: Any, tenant: Tenant | None = None, **headers: str
) -> httpx2.Response:
    return await platform.client.put(
        f"/api/v1/configuration/{key}",
        json={"value": value, "reason": "because of a test"},
        headers={**platform.of(tenant), **headers},
    )


async def delete(platform: Platform, key: str, tenant: Tenant | None = None, **headers: str) -> httpx2.Response:
    return await platform.client.delete(
        f"/api/v1/configuration/{key}", params={"reason": "not any more"}, headers={**platform.of(tenant), **headers}
    )


async def account(platform: Platform, tenant: Tenant) -> Tenant:
    """The client account of a tenant, as a tenant that can be named."""
    client = client_of(tenant)
    async with platform.runtime.database.transaction(client) as session:
        statement = (
            "insert into gateway.engagements (client_name, engagement_name) values ('x', '') on conflict do nothing"
        )
        await session.execute(text(statement))
    return client


async def test_the_nearest_level_counts_and_says_that_it_does(platform: Platform) -> None:
    tenant, other = await platform.new_tenant(), await platform.new_tenant()
    client = await account(platform, tenant)

    async def shown(where: Tenant) -> tuple[Any, str | None]:
        view = await platform.get("/configuration/flows_per_day", where)
        return view["value"], view["origin"]

    assert await shown(tenant) == (None, None)
    for where, value in ((PLATFORM, 1), (client, 2), (tenant, 3)):
        assert (await put(platform, "flows_per_day", value, where)).status_code == 200
    assert [await shown(where) for where in (tenant, client, PLATFORM, other)] == [
        (3, "engagement"),
        (2, "client"),
        (1, "platform"),
        (1, "platform"),
    ]
    for where, left in ((tenant, (2, "client")), (client, (1, "platform")), (PLATFORM, (None, None))):
        assert (await delete(platform, "flows_per_day", where)).status_code == 200
        assert await shown(tenant) == left


async def test_what_was_set_is_read_by_the_service_at_once(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    read = platform.runtime.configuration.value
    assert await read(tenant, FLOWS_PER_DAY) is None
    await put(platform, "flows_per_day", 7, tenant)
    assert await read(tenant, FLOWS_PER_DAY) == 7
    async with platform.runtime.database.transaction(tenant) as session:
        assert await configured(session, service.metadata, tenant, FLOWS_PER_DAY) == 7
        assert await configured(session, service.metadata, tenant, SEPARATION_OF_DUTIES) is False
        rows = await session.execute(text("select current_setting('app.engagement_id')"))
        assert rows.scalar_one() == str(tenant.engagement_id)


async def test_every_change_says_who_when_why_and_from_what_to_what(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    await put(platform, "flows_per_day", 5, tenant)
    await put(platform, "flows_per_day", 6, tenant)
    await delete(platform, "flows_per_day", tenant)
    history = (await platform.get("/configuration/flows_per_day/history", tenant))["items"]
    assert [(each["version"], each["old"], each["new"], each["is_set"], each["reason"]) for each in history] == [
        (1, None, 5, True, "because of a test"),
        (2, 5, 6, True, "because of a test"),
        (3, 6, None, False, "not any more"),
    ]
    assert {each["changed_by"] for each in history} == {"operator"}
    told = await platform.told("configuration.changed")
    assert (told["data"]["version"], told["data"]["is_set"]) == (3, False)
    assert told["engagementid"] == str(tenant.engagement_id)


async def test_nobody_edits_history(platform: Platform) -> None:
    await put(platform, "flows_per_day", 5)
    for statement in (
        "update gateway.configuration_history set reason = 'x'",
        "delete from gateway.configuration_history",
    ):
        with pytest.raises(Exception, match="permission denied"):
            async with platform.runtime.database.transaction(PLATFORM) as session:
                await session.execute(text(statement))


async def test_of_two_who_saw_the_same_version_one_is_refused(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    seen = (await platform.client.get("/api/v1/configuration/flows_per_day", headers=platform.of(tenant))).headers[
        "etag"
    ]
    assert seen == '"0"'
    first = await put(platform, "flows_per_day", 5, tenant, **{"if-match": seen})
    second = await put(platform, "flows_per_day", 6, tenant, **{"if-match": seen})
    third = await delete(platform, "flows_per_day", tenant, **{"if-match": seen})
    assert [first.status_code, second.status_code, third.status_code] == [200, 412, 412]
    assert second.json()["code"] == "changed_meanwhile"
    assert (await platform.get("/configuration/flows_per_day", tenant))["value"] == 5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("flows_per_day", "5"),
        ("flows_per_day", 0),
        ("flows_per_day", 5.5),
        ("separation_of_duties", 1),
        ("separation_of_duties", "true"),
        ("cors_origins", ["*"]),
        ("cors_origins", ["https://a.example/path"]),
        ("cors_origins", "https://a.example"),
        ("log_level", "loud"),
    ],
)
async def test_a_value_of_another_type_is_refused_without_repeating_it(
    platform: Platform, key: str, value: Any
) -> None:
    refused = await put(platform, key, value, PLATFORM)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_value")
    assert "loud" not in refused.text


async def test_a_key_is_set_only_at_its_levels(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    for key, value in (("separation_of_duties", True), ("cors_origins", []), ("log_level", "debug")):
        refused = await put(platform, key, value, tenant)
        assert (refused.status_code, refused.json()["code"]) == (409, "not_at_this_level")
    assert (await put(platform, "separation_of_duties", True, await account(platform, tenant))).status_code == 200
    assert (await platform.get("/configuration/separation_of_duties", tenant))["origin"] == "client"


async def test_unknown_keys_and_missing_reasons_are_refused(platform: Platform) -> None:
    assert (await put(platform, "no_such_key", 1)).json()["code"] == "unknown_key"
    assert (await delete(platform, "flows_per_day")).json()["code"] == "not_set"
    without = await platform.client.put("/api/v1/configuration/flows_per_day", json={"value": 1})
    assert without.status_code == 422
    assert (await platform.client.delete("/api/v1/configuration/flows_per_day")).status_code == 422


async def test_a_secret_is_sealed_used_and_never_told_again(platform: Platform, secret_key: Key[str | None]) -> None:
    tenant = await platform.new_tenant()
    answers = [await put(platform, secret_key.name, PLAIN, tenant)]
    assert answers[0].status_code == 200, answers[0].text
    assert await platform.runtime.configuration.value(tenant, secret_key) == PLAIN
    one = f"/configuration/{secret_key.name}"
    for path in ("/configuration", one, f"{one}/history"):
        answers += [await platform.client.get(f"/api/v1{path}", headers=platform.of(tenant))]
    answers.append(await put(platform, secret_key.name, [PLAIN], tenant))
    await platform.told("configuration.changed")
    assert PLAIN not in "".join(answer.text for answer in answers)
    assert PLAIN not in str(platform.heard.messages)
    shown = answers[2].json()
    assert (shown["value"], shown["origin"], shown["secret"]) == (None, "engagement", True)
    (change,) = answers[3].json()["items"]
    assert (change["old"], change["new"], change["secret"]) == (None, None, True)
    async with platform.runtime.database.transaction(tenant) as session:
        for table in ("configuration", "configuration_history"):
            rows = (await session.execute(text(f"select * from gateway.{table}"))).all()
            assert PLAIN not in str(rows)
        with pytest.raises(ValueError, match="is a secret"):
            await configured(session, service.metadata, tenant, secret_key)


async def test_a_secret_of_one_tenant_opens_in_no_other(platform: Platform, secret_key: Key[str | None]) -> None:
    tenant, other = await platform.new_tenant(), await platform.new_tenant()
    await put(platform, secret_key.name, PLAIN, tenant)
    await put(platform, secret_key.name, "theirs", other)
    async with platform.runtime.database.transaction(tenant) as session:
        sealed = (await session.execute(text("select sealed from gateway.configuration"))).scalar_one()
    async with platform.runtime.database.transaction(other) as session:
        await session.execute(text("update gateway.configuration set sealed = :sealed"), {"sealed": sealed})
    platform.runtime.configuration.forget()
    with pytest.raises(Exception, match="was not sealed for that place"):
        await platform.runtime.configuration.value(other, secret_key)


# What an engagement's people may judge for themselves: how they work, and which models they ask with keys of theirs.
THEIR_OWN_AFFAIR = (
    *(SEPARATION_OF_DUTIES, READINESS_GATE, READINESS_THRESHOLDS, SEALED_INVENTORY),
    *(MODEL_PROVIDER_KEYS, MODEL_BASE_URLS, MODELS, MODEL_FALLBACKS),
    *(MODEL_ESCALATION_BELOW, MODEL_CACHE_SECONDS, MODEL_REDACTION),
    # Addresses are judged as those of models are; programs are the operator's.
    *MCP_KEYS,
)


CONFIGURATIONS = (configuration, model_configuration, mcp_configuration)


def test_every_key_that_is_written_down_can_be_set() -> None:
    declared = [each for module in CONFIGURATIONS for each in vars(module).values()]
    assert {each.name for each in declared if isinstance(each, Key)} == set(configuration.KEYS)


def test_every_default_is_a_valid_value_and_no_tenant_can_lift_its_own_limits() -> None:
    for key in KEYS.values():
        assert key.value_of(key.default) == key.default
        assert key.description
        assert key.read_by
        assert key.scope == "platform:write" or key in THEIR_OWN_AFFAIR
