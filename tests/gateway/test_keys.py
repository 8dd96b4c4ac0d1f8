"""API keys: what they let in, where, for how long, and that nobody can read them later."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from contracts.access import ROLE_SCOPES
from contracts.envelope import PLATFORM, Tenant
from services.chassis.encryption import Vault
from services.gateway.access.grants import account
from services.gateway.access.key_format import new_key, new_key_id
from services.gateway.app import welcome
from services.gateway.routes.access import SENT_BY_ROUTES
from tests.gateway.platform import KEY, Platform


async def made(platform: Platform, tenant: Tenant, **body: Any) -> dict[str, Any]:
    """A key of a tenant as it was shown once."""
    response = await platform.post("/keys", {"name": "CMDB", **body}, tenant)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def status(platform: Platform, key: str, tenant: Tenant | None = None, path: str = "/flows") -> int:
    """How a GET with this key is answered."""
    return (await platform.client.get(f"/api/v1{path}", headers=platform.of(tenant, key))).status_code


async def rows(platform: Platform, tenant: Tenant, query: str) -> list[Any]:
    """What a query finds in a tenant."""
    async with platform.runtime.database.transaction(tenant) as session:
        return list((await session.execute(text(query))).mappings())


async def test_a_key_counts_where_it_was_made_and_below(platform: Platform) -> None:
    tenant, stranger = await platform.new_tenant(), await platform.new_tenant()
    client = account(tenant.client_account_id)
    body = {"client_name": "F", "engagement_name": "Second", "client_account_id": str(tenant.client_account_id)}
    sibling = Tenant.model_validate((await platform.post("/engagements", body)).json())
    tenants = (tenant, sibling, client, stranger, PLATFORM)
    found = {}
    for name, home in (("engagement", tenant), ("client", client), ("platform", PLATFORM)):
        key = (await made(platform, home, role="viewer"))["key"]
        found[name] = [await status(platform, key, each) for each in tenants]
    assert found == {
        "engagement": [200, 404, 404, 404, 403],
        "client": [200, 200, 200, 404, 403],
        "platform": [200, 200, 200, 200, 200],
    }


async def test_without_tenant_headers_a_key_works_where_it_counts(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    for home in (tenant, account(tenant.client_account_id)):
        key = (await made(platform, home, role="viewer"))["key"]
        shown = await platform.client.get("/api/v1/engagements/current", headers={"x-api-key": key})
        assert Tenant.model_validate(shown.json()) == home


async def test_an_engagement_of_a_client_takes_a_role_in_that_client(platform: Platform) -> None:
    tenant, stranger = await platform.new_tenant(), await platform.new_tenant()
    client = account(tenant.client_account_id)
    admin = (await made(platform, client, role="client_admin"))["key"]
    lead = (await made(platform, tenant, role="engagement_lead"))["key"]

    async def asked(key: str, client_account_id: Any) -> tuple[int, str | None]:
        body = {"client_name": "F", "engagement_name": "Third", "client_account_id": client_account_id}
        response = await platform.client.post("/api/v1/engagements", json=body, headers={"x-api-key": key})
        return response.status_code, response.json().get("code")

    own, other = str(tenant.client_account_id), str(stranger.client_account_id)
    assert await asked(admin, own) == (201, None)
    assert await asked(admin, None) == (403, "missing_scope")
    unknown = "2f4fd1b4-6a86-4c0f-9d83-6e9bb4e5f4a0"
    assert [await asked(admin, each) for each in (other, unknown)] == [(404, "engagement_not_found")] * 2
    assert await asked(lead, own) == (404, "engagement_not_found")
    assert await asked(KEY, unknown) == (404, "engagement_not_found")


async def test_a_key_can_do_no_more_than_who_made_it(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    lead = (await made(platform, tenant, role="engagement_lead"))["key"]

    async def asked(**body: Any) -> tuple[int, Any]:
        response = await platform.client.post("/api/v1/keys", json={"name": "x", **body}, headers={"x-api-key": lead})
        return response.status_code, response.json().get("code", response.json().get("scopes"))

    assert await asked(role="client_admin", scopes=["audit:read"]) == (403, "scopes_beyond_own")
    assert await asked(role="viewer", scopes=["flows:write"]) == (422, "scopes_beyond_role")
    most = ROLE_SCOPES["service_account"] & ROLE_SCOPES["engagement_lead"]
    assert await asked() == (201, sorted(most))
    assert await asked(scopes=["flows:read"]) == (201, ["flows:read"])
    assert await asked(expires_at="2020-01-01T00:00:00Z") == (422, "expired_already")


async def test_a_key_without_a_scope_is_refused_and_the_refusal_told(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    key = await made(platform, tenant, scopes=["flows:read"])
    for _ in range(3):
        assert await status(platform, key["key"], tenant, "/imports") == 403
    told = await platform.told("access.refused")
    assert (told["clientaccountid"], told["engagementid"]) == tuple(map(str, tenant.model_dump().values()))
    assert told["data"]["subject"] == f"key:{key['key_id']}"
    assert (told["data"]["route"], told["data"]["code"], told["data"]["status"]) == (
        "list_imports",
        "missing_scope",
        403,
    )
    assert platform.heard.types().count("access.refused") == 1


async def test_a_flood_of_wrong_keys_is_told_once(platform: Platform) -> None:
    for _ in range(20):
        assert await status(platform, new_key(new_key_id())) == 401
    told = await platform.told("access.refused")
    assert (told["data"]["subject"], told["data"]["code"], told["engagementid"]) == (
        None,
        "unknown_api_key",
        str(PLATFORM.engagement_id),
    )
    assert platform.heard.types().count("access.refused") == 1


async def test_trying_another_tenant_is_told_the_platform_and_not_that_tenant(platform: Platform) -> None:
    mine, theirs = await platform.new_tenant(), await platform.new_tenant()
    key = await made(platform, mine, role="engagement_lead")
    assert await status(platform, key["key"], theirs) == 404
    told = await platform.told("access.refused")
    assert (told["data"]["subject"], told["data"]["code"]) == (f"key:{key['key_id']}", "engagement_not_found")
    assert told["clientaccountid"] == str(PLATFORM.client_account_id)


async def test_a_wrong_checksum_is_refused_without_a_look_at_the_database(platform: Platform) -> None:
    key = (await made(platform, await platform.new_tenant()))["key"]
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    database = platform.runtime.database

    def no_database() -> Any:
        raise AssertionError("the database was asked")

    with pytest.MonkeyPatch.context() as patch:
        # The first refusal is told, which takes the database; those that follow within a minute are counted.
        assert await status(platform, wrong) == 401
        patch.setattr(database.engine.sync_engine.pool, "connect", no_database)
        assert await status(platform, wrong) == 401


async def test_a_remembered_key_costs_no_round_trip(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    key = (await made(platform, tenant))["key"]
    assert await status(platform, key, tenant) == 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform.runtime.database.engine.sync_engine.pool, "connect", lambda: 1 / 0)
        # Refused for its body after the caller was checked, and before the route opens a transaction.
        response = await platform.client.post("/api/v1/flows", json=5, headers=platform.of(tenant, key))
    assert response.status_code == 422


async def test_a_revoked_key_is_refused_at_once(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    key = await made(platform, tenant)
    assert await status(platform, key["key"], tenant) == 200
    revoked = await platform.client.delete(f"/api/v1/keys/{key['key_id']}", headers=platform.of(tenant))
    assert revoked.json()["revoked_by_name"] == "operator"
    assert await status(platform, key["key"], tenant) == 401
    again = await platform.client.delete(f"/api/v1/keys/{key['key_id']}", headers=platform.of(tenant))
    assert (again.status_code, again.json()["code"]) == (409, "key_revoked")
    assert (await platform.told("api_key.revoked"))["data"]["key_id"] == key["key_id"]


async def test_an_expired_key_is_refused_also_where_it_is_remembered(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    ends = datetime.now(UTC) + timedelta(seconds=60)
    key = (await made(platform, tenant, expires_at=ends.isoformat()))["key"]
    assert await status(platform, key, tenant) == 200

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Later":
            return cls.fromtimestamp((ends + timedelta(seconds=1)).timestamp(), tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.gateway.principal.datetime", Later)
        assert await status(platform, key, tenant) == 401


async def test_a_rotated_key_counts_beside_the_new_one_for_a_while(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    old = await made(platform, tenant, scopes=["flows:read"])
    response = await platform.post(f"/keys/{old['key_id']}/rotate", {"overlap_hours": 2}, tenant)
    new = response.json()
    assert response.status_code == 201
    assert (new["scopes"], new["name"], new["expires_at"]) == (["flows:read"], "CMDB", None)
    assert [await status(platform, each["key"], tenant) for each in (old, new)] == [200, 200]
    shown = await platform.get(f"/keys/{old['key_id']}", tenant)
    left = datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=1.9) < left <= timedelta(hours=2)
    assert shown["replaced_by"] == new["key_id"]
    again = await platform.post(f"/keys/{old['key_id']}/rotate", {}, tenant)
    assert (again.status_code, again.json()["code"]) == (409, "key_ended")
    at_once = await platform.post(f"/keys/{new['key_id']}/rotate", {"overlap_hours": 0}, tenant)
    assert at_once.status_code == 201
    assert await status(platform, new["key"], tenant) == 401


async def test_the_secret_is_nowhere_but_in_the_answer(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    key = await made(platform, tenant)
    assert await status(platform, key["key"], tenant) == 200
    await platform.settled()
    secret = key["key"].rpartition("_")[2]
    kept = await rows(platform, tenant, "select * from gateway.api_keys")
    listed = await platform.get("/keys", tenant)
    shown = [*map(str, kept), str(listed), orjson.dumps(platform.heard.messages).decode()]
    assert "api_key.created" in platform.heard.types()
    assert not any(secret in each or KEY in each for each in shown)
    assert not any("digest" in name for event in SENT_BY_ROUTES for name in event.model_fields)


async def test_use_is_noted_once_a_minute_and_moves_the_key_to_the_newest_root_key(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    key = await made(platform, tenant)
    vault: Vault = platform.runtime.vault
    newest = vault.add(vault.version)
    noted = []
    for _ in range(3):
        assert await status(platform, key["key"], tenant) == 200
        platform.client._transport.app.state.remembered.forget()  # type: ignore[attr-defined]  # a new look each time
        [row] = await rows(platform, tenant, "select last_used_at, pepper from gateway.api_keys")
        noted.append((row.last_used_at, row.pepper))
    assert noted[0] == noted[1] == noted[2]
    assert noted[0][1] == newest > key["pepper"]


async def test_the_bootstrap_key_can_be_revoked_for_good(platform: Platform) -> None:
    own = await platform.client.delete("/api/v1/keys/bootstrap", headers=platform.of(PLATFORM))
    assert (own.status_code, own.json()["code"]) == (409, "last_key")
    admin = (await made(platform, PLATFORM, role="platform_admin"))["key"]
    revoked = await platform.client.delete("/api/v1/keys/bootstrap", headers=platform.of(PLATFORM, admin))
    assert revoked.status_code == 200
    # A start does not let it in again; another key in the settings is let in.
    await welcome(platform.runtime)
    assert await status(platform, KEY) == 401
    platform.runtime.settings = platform.runtime.settings.model_copy(update={"api_key": SecretStr("another")})
    await welcome(platform.runtime)
    assert [await status(platform, each) for each in ("another", KEY, admin)] == [200, 401, 200]
