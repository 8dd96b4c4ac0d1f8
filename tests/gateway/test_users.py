"""People of a tenant: invited with a token that counts once, given no role by who lacks its scopes, shut out again."""

import asyncio
from typing import Any

import pytest

from contracts.envelope import PLATFORM, Tenant
from services.gateway.access.grants import account
from services.gateway.access.opaque_tokens import new_tenant_token, tenant_of
from tests.gateway.people import PASSWORD, People, bearer

ADA = "ada@contoso.example"
BOB = "bob@contoso.example"


async def invite(people: People, tokens: dict[str, Any], tenant: Tenant, email: str, role: str) -> Any:
    return await people.post("/invitations", {"email": email, "role": role}, bearer(tokens, tenant))


async def test_a_token_counts_once_and_not_when_it_was_withdrawn_or_is_too_old(people: People) -> None:
    tenant = await people.platform.new_tenant()
    token = await people.invited(ADA, "analyst", tenant)
    body = {"token": token, "password": PASSWORD}
    answers = await asyncio.gather(*(people.post("/invitations/accept", body) for _ in range(4)))
    # Too late is also who comes when there is an account already.
    assert {answer.status_code for answer in answers} - {201} <= {404, 409}
    assert [answer.status_code for answer in answers].count(201) == 1
    for change in ("status = 'withdrawn'", "expires_at = now()"):
        token = await people.invited(BOB, "analyst", tenant)
        await people.sql(f"update gateway.invitations set {change} where email = '{BOB}'", tenant)
        refused = await people.post("/invitations/accept", {"token": token, "password": PASSWORD})
        assert (refused.status_code, refused.json()["code"]) == (404, "invitation_not_found")


@pytest.mark.parametrize("token", ["", "x", "modernize_invitation_", "modernize_invitation_" + "A" * 86, "é" * 50])
async def test_what_is_no_token_is_no_invitation(people: People, token: str) -> None:
    response = await people.post("/invitations/accept", {"token": token, "password": PASSWORD})
    assert (response.status_code, response.json()["code"]) == (404, "invitation_not_found")


def test_a_token_names_its_tenant_and_nothing_else_does() -> None:
    tenant = Tenant(client_account_id=PLATFORM.client_account_id, engagement_id=PLATFORM.engagement_id)
    assert all(tenant_of(new_tenant_token("invitation", tenant)) == tenant for _ in range(50))
    assert tenant_of("modernize_invitation_AAAA") is None


async def test_a_weak_password_uses_no_invitation_up(people: People) -> None:
    token = await people.invited(ADA)
    for password in ("short", "ada-contoso-2026", "Password1234!"):
        weak = await people.post("/invitations/accept", {"token": token, "password": password})
        assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
        assert password not in weak.text
    assert (await people.post("/invitations/accept", {"token": token, "password": PASSWORD})).status_code == 201


async def test_an_account_joins_another_tenant_signed_in_and_with_its_own_invitation_alone(people: People) -> None:
    first, second = await people.platform.new_tenant(), await people.platform.new_tenant()
    await people.joined(ADA, "analyst", first)
    await people.joined(BOB, "analyst", first)
    token = await people.invited(ADA.upper(), "viewer", second)
    anonymous = await people.post(
        "/invitations/accept",
        {"token": token, "password": "of somebody else, perhaps"},  # pragma: allowlist secret
    )
    assert (anonymous.status_code, anonymous.json()["code"]) == (409, "account_exists")
    bob, ada = await people.signed_in(BOB), await people.signed_in(ADA)
    other = await people.post("/me/invitations", {"token": token}, bearer(bob))
    assert (other.status_code, other.json()["code"]) == (403, "invitation_for_another")
    joined = await people.post("/me/invitations", {"token": token}, bearer(ada))
    assert (joined.status_code, joined.json()["role"]) == (200, "viewer")
    # At once, though what Ada may do there was asked before.
    assert "flows:read" in (await people.me(ada, second)).json()["scopes"]
    await people.platform.settled()
    granted = [each for each in people.events("role.granted") if each["data"]["role"] == "viewer"]
    assert [each["engagementid"] for each in granted] == [str(second.engagement_id)]


async def test_nobody_gives_or_takes_a_role_with_scopes_that_it_lacks(people: People) -> None:
    tenant = await people.platform.new_tenant()
    await people.joined(ADA, "engagement_lead", tenant)
    admin = await people.joined(BOB, "client_admin", tenant)
    lead = await people.signed_in(ADA)
    for role in ("client_admin", "platform_admin", "auditor", "service_account"):
        refused = await invite(people, lead, tenant, "eve@contoso.example", role)
        assert (refused.status_code, refused.json()["code"]) == (403, "role_not_yours_to_give"), role
    for method in ("PUT", "DELETE"):
        path = f"/api/v1/users/{admin}/roles/client_admin"
        refused = await people.client.request(method, path, headers=bearer(lead, tenant))
        assert (refused.status_code, refused.json()["code"]) == (403, "role_not_yours_to_give")
    refused = await people.post(f"/users/{admin}/deactivate", None, bearer(lead, tenant))
    assert refused.status_code == 403
    assert (await invite(people, lead, tenant, "eve@contoso.example", "analyst")).status_code == 201
    outside = await invite(people, lead, account(tenant.client_account_id), "eve@contoso.example", "viewer")
    assert outside.status_code == 404


async def test_roles_are_given_and_taken_and_count_at_once(people: People) -> None:
    tenant, other = await people.platform.new_tenant(), await people.platform.new_tenant()
    user_id = await people.joined(ADA, "viewer", tenant)
    tokens, client = await people.signed_in(ADA), people.client
    await people.joined(BOB, "engagement_lead", tenant)
    lead = bearer(await people.signed_in(BOB), tenant)
    assert "flows:write" not in (await people.me(tokens, tenant)).json()["scopes"]
    given = await client.put(f"/api/v1/users/{user_id}/roles/analyst", headers=lead)
    assert given.json()["roles"] == ["analyst", "viewer"]
    assert "flows:write" in (await people.me(tokens, tenant)).json()["scopes"]
    listed = (await client.get("/api/v1/users", headers=lead)).json()["items"]
    assert {each["email"]: each["roles"] for each in listed} == {
        ADA: ["analyst", "viewer"],
        BOB: ["engagement_lead"],
    }
    taken = await client.delete(f"/api/v1/users/{user_id}/roles/analyst", headers=lead)
    assert taken.json()["roles"] == ["viewer"]
    again = await client.delete(f"/api/v1/users/{user_id}/roles/analyst", headers=lead)
    assert (again.status_code, again.json()["code"]) == (404, "role_not_found")
    assert "flows:write" not in (await people.me(tokens, tenant)).json()["scopes"]
    for path in (f"/users/{user_id}", "/users"):
        seen = await people.platform.client.get(f"/api/v1{path}", headers=people.platform.of(other))
        assert seen.status_code == 404 or seen.json()["items"] == []
    own = await client.post(f"/api/v1/users/{listed[1]['user_id']}/deactivate", headers=lead)
    out = await client.post(f"/api/v1/users/{user_id}/deactivate", headers=lead)
    assert (own.status_code, own.json()["code"], out.json()["roles"]) == (409, "oneself", [])
    # Out of this tenant, and nowhere else: the account signs in.
    assert (await people.me(tokens, tenant)).json()["scopes"] == []
    assert (await people.log_in(ADA)).status_code == 200
    await people.platform.settled()
    assert [each["data"]["role"] for each in people.events("role.revoked")] == ["analyst", "viewer"]
    assert len(people.events("user.deactivated")) == 1


async def test_an_event_of_an_invitation_has_no_token_and_its_row_no_more_than_a_digest(people: People) -> None:
    tenant = await people.platform.new_tenant()
    token = await people.invited(ADA, "analyst", tenant)
    await people.platform.settled()
    [told] = people.events("user.invited")
    assert (told["data"]["email"], told["engagementid"]) == (ADA, str(tenant.engagement_id))
    stored = await people.sql("select * from gateway.invitations", tenant)
    assert token not in str(people.platform.heard.messages) + str(stored)
