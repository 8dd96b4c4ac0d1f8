"""API keys of people who leave: their personal ones end with what they may do, those of service accounts go on."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.access import ROLE_SCOPES, SCOPES, Role, Scope
from contracts.envelope import PLATFORM, Tenant
from services.gateway.access.grants import account
from services.gateway.access.key_owners import ends
from tests.gateway.people import People, bearer

ADA = "ada@contoso.example"


async def key_of(people: People, headers: dict[str, str], role: Role) -> dict[str, Any]:
    """A key that somebody made with a role."""
    response = await people.post("/keys", {"name": role, "role": role}, headers)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def works(people: People, key: dict[str, Any], tenant: Tenant) -> bool:
    """Whether a key is let in."""
    response = await people.platform.client.get("/api/v1/flows", headers=people.platform.of(tenant, key["key"]))
    return response.status_code == 200


async def listed(people: People, tenant: Tenant) -> dict[str, bool]:
    """The keys of a tenant by name, and whether who made each left."""
    return {each["name"]: each["maker_left"] for each in (await people.platform.get("/keys", tenant))["items"]}


@given(role=st.sampled_from(sorted(ROLE_SCOPES)), left=st.frozensets(st.sampled_from(sorted(SCOPES))))
def test_a_personal_key_ends_exactly_where_it_can_do_more_than_its_maker(role: Role, left: frozenset[Scope]) -> None:
    can = ROLE_SCOPES[role]
    assert ends(role, can, left) == (role != "service_account" and bool(can - left))
    assert not ends(role, can, SCOPES)


async def test_who_is_shut_out_of_an_engagement_leaves_service_accounts_and_no_personal_key(people: People) -> None:
    tenant, other = await people.platform.new_tenant(), await people.platform.new_tenant()
    ada = await people.joined(ADA, "engagement_lead", tenant)
    tokens = await people.signed_in(ADA)
    await people.post(
        "/me/invitations", {"token": await people.invited(ADA, "engagement_lead", other)}, bearer(tokens, tenant)
    )
    personal, system = [await key_of(people, bearer(tokens, tenant), role) for role in ("analyst", "service_account")]
    elsewhere = await key_of(people, bearer(tokens, other), "analyst")
    assert await listed(people, tenant) == {"analyst": False, "service_account": False}
    assert await works(people, personal, tenant)
    out = await people.platform.post(f"/users/{ada}/deactivate", None, tenant)
    assert (out.json()["roles"], out.json()["keys_revoked"], out.json()["keys_kept"]) == ([], 1, 1)
    assert [await works(people, each, tenant) for each in (personal, system)] == [False, True]
    assert await works(people, elsewhere, other)
    assert await listed(people, tenant) == {"analyst": True, "service_account": True}
    told = await people.platform.told("api_key.revoked")
    assert (told["data"]["key_id"], told["data"]["reason"]) == (personal["key_id"], "maker_lost_access")
    assert told["engagementid"] == str(tenant.engagement_id)
    # Whoever rotates it takes it over.
    taken = await people.platform.post(f"/keys/{system['key_id']}/rotate", {"overlap_hours": 0}, tenant)
    assert not taken.json()["maker_left"]


async def test_an_account_that_is_deactivated_leaves_no_personal_key_anywhere(people: People) -> None:
    tenant = await people.platform.new_tenant()
    client = account(tenant.client_account_id)
    ada = await people.joined(ADA, "client_admin", client)
    tokens = await people.signed_in(ADA)
    keys = {each: await key_of(people, bearer(tokens, each), "viewer") for each in (client, tenant)}
    # Made with a key of hers: she is behind that, too.
    admin = await key_of(people, bearer(tokens, client), "client_admin")
    child = await key_of(people, people.platform.of(tenant, admin["key"]), "analyst")
    out = await people.platform.post(f"/users/{ada}/deactivate", None, PLATFORM)
    assert (out.json()["keys_revoked"], out.json()["keys_kept"]) == (4, 0)
    assert not any([await works(people, key, each) for each, key in keys.items()])
    assert not await works(people, child, tenant)
    again = await people.platform.post(f"/users/{ada}/reactivate", None, PLATFORM)
    assert again.status_code == 200
    assert not await works(people, child, tenant)


async def test_a_role_that_is_taken_ends_the_keys_that_can_do_more_than_what_is_left(people: People) -> None:
    tenant = await people.platform.new_tenant()
    ada = await people.joined(ADA, "engagement_lead", tenant)
    await people.platform.client.put(f"/api/v1/users/{ada}/roles/analyst", headers=people.platform.of(tenant))
    headers = bearer(await people.signed_in(ADA), tenant)
    lead, analyst = [await key_of(people, headers, role) for role in ("engagement_lead", "analyst")]
    taken = await people.platform.client.delete(
        f"/api/v1/users/{ada}/roles/engagement_lead", headers=people.platform.of(tenant)
    )
    assert (taken.json()["roles"], taken.json()["keys_revoked"]) == (["analyst"], 1)
    assert [await works(people, each, tenant) for each in (lead, analyst)] == [False, True]
    assert await listed(people, tenant) == {"engagement_lead": False, "analyst": False}


@pytest.mark.parametrize("attempt", range(3))
async def test_a_key_that_is_made_while_its_maker_is_shut_out_does_not_stay(people: People, attempt: int) -> None:
    tenant = await people.platform.new_tenant()
    ada = await people.joined(ADA, "engagement_lead", tenant)
    headers = bearer(await people.signed_in(ADA), tenant)
    # She is remembered as somebody who may.
    assert (await people.client.get("/api/v1/keys", headers=headers)).status_code == 200
    body = {"name": "late", "role": "analyst"}
    made, out = await asyncio.gather(
        people.post("/keys", body, headers), people.platform.post(f"/users/{ada}/deactivate", None, tenant)
    )
    assert out.status_code == 200, out.text
    assert made.status_code in (201, 403, 404), made.text
    if made.status_code == 201:
        assert not await works(people, made.json(), tenant)
