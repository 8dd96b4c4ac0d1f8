"""Signing in with an OpenID provider: who gets in, whose account it is, and every way to cheat that is known."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx2
import pytest
from joserfc.jwk import RSAKey

from services.chassis.settings import Settings
from tests.gateway.oidc_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    FORGED,
    Claims,
    OidcProvider,
    new_key,
    running_provider,
)
from tests.gateway.people import PASSWORD, People, bearer

ADA = "ada@contoso.example"
BACK = "http://127.0.0.1:8123/callback"
ADA_THERE = {"sub": "ada-there", "email": ADA, "email_verified": True, "name": "Ada Lovelace"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The provider of these tests is on loopback, which only an operator can open."""
    return settings.model_copy(update={"outbound_allowed": "http://127.0.0.1:*"})


@pytest.fixture(scope="module")
def keys() -> list[RSAKey]:
    return [new_key()]


@pytest.fixture
def provider(keys: list[RSAKey]) -> Iterator[OidcProvider]:
    with running_provider() as provider:
        provider.keys = list(keys)
        provider.person = dict(ADA_THERE)
        yield provider


@dataclass
class Door:
    """A provider as the gateway knows it."""

    people: People
    provider: OidcProvider
    provider_id: str
    client_account_id: UUID | None

    async def begin(self) -> dict[str, Any]:
        body = {"provider_id": self.provider_id, "redirect_uri": BACK}
        if self.client_account_id is not None:
            body["client_account_id"] = str(self.client_account_id)
        response = await self.people.post("/auth/oidc/logins", body)
        assert response.status_code == 201, response.text
        begun: dict[str, Any] = response.json()
        return begun

    async def end(self, begun: dict[str, Any], answer: dict[str, str], **more: Any) -> httpx2.Response:
        return await self.people.post("/auth/oidc/callback", {"login_secret": begun["login_secret"], **answer, **more})

    async def log_in(self, invitation: str | None = None, **person: Any) -> httpx2.Response:
        """All of it, as a browser that follows does it."""
        begun = await self.begin()
        answer = self.provider.authorize(begun["authorization_url"], **person)
        return await self.end(begun, answer, invitation_token=invitation)


async def door_of(people: People, provider: OidcProvider, *domains: str, client_account_id: UUID | None = None) -> Door:
    """The gateway, once an operator set this provider up."""
    body = {
        "name": "Contoso",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "allowed_domains": list(domains),
    }
    params = {} if client_account_id is None else {"client_account_id": str(client_account_id)}
    made = await people.platform.client.post("/api/v1/login-providers", json=body, params=params)
    assert made.status_code == 201, made.text
    assert CLIENT_SECRET not in made.text
    return Door(people, provider, made.json()["provider_id"], client_account_id)


def refused(response: httpx2.Response) -> bool:
    return (response.status_code, response.json()["code"]) == (401, "login_refused")


async def test_who_was_invited_joins_by_the_provider_and_later_needs_no_invitation(
    people: People, provider: OidcProvider
) -> None:
    tenant = await people.platform.new_tenant()
    door = await door_of(people, provider)
    first = await door.log_in(await people.invited(ADA, "analyst", tenant))
    assert first.status_code == 200, first.text
    again = (await door.log_in(email="changed@elsewhere.example")).json()
    me = (await people.me(again, tenant)).json()
    assert (me["email"], [each["role"] for each in me["memberships"]]) == (ADA, ["analyst"])
    assert (await people.log_in(ADA, PASSWORD)).status_code == 401
    await people.platform.settled()
    joined, linked = people.events("user.joined"), people.events("identity.linked")
    assert ([each["data"]["new_account"] for each in joined], len(linked)) == ([True], 1)
    assert CLIENT_SECRET not in str(people.platform.heard.messages)
    rows = await people.sql("select sealed_secret from gateway.login_providers")
    assert CLIENT_SECRET.encode() not in rows[0][0]


async def test_the_request_has_pkce_state_and_nonce_and_nothing_to_end_it_with_is_stored(
    people: People, provider: OidcProvider
) -> None:
    door = await door_of(people, provider)
    begun = await door.begin()
    query = {name: value[0] for name, value in parse_qs(urlsplit(begun["authorization_url"]).query).items()}
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert len({query["state"], query["nonce"], query["code_challenge"], begun["login_secret"]}) == 4
    stored = str(await people.sql("select * from gateway.oidc_logins"))
    assert not [text for text in (begun["login_secret"], query["state"], query["nonce"]) if text in stored]


async def test_a_stranger_is_nobody_unless_the_provider_vouches_for_its_domain(
    people: People, provider: OidcProvider
) -> None:
    assert refused(await (await door_of(people, provider)).log_in())
    vouching = await door_of(people, provider, "contoso.example")
    assert refused(await vouching.log_in(email="eve@contoso.example.evil.example"))
    assert refused(await vouching.log_in(email_verified=False))
    assert refused(await vouching.log_in(email=None))
    tokens = await vouching.log_in()
    assert tokens.status_code == 200
    assert (await people.me(tokens.json())).json()["memberships"] == []


async def test_a_provider_takes_over_no_account_that_it_does_not_vouch_for(
    people: People, provider: OidcProvider
) -> None:
    await people.joined(ADA, "engagement_lead")
    door = await door_of(people, provider)
    assert refused(await door.log_in())
    assert refused(await door.log_in(await people.invited(ADA, "viewer")))
    assert (await people.log_in(ADA)).status_code == 200


async def test_the_authority_for_an_address_ends_what_others_made_of_it_before(
    people: People, provider: OidcProvider
) -> None:
    await people.joined(ADA)
    squatter = await people.signed_in(ADA)
    door = await door_of(people, provider, "contoso.example")
    tokens = (await door.log_in()).json()
    assert (await people.me(tokens)).json()["email"] == ADA
    assert (await people.me(squatter)).status_code == 401
    assert (await people.refresh(squatter["refresh_token"])).status_code == 401
    assert refused(await people.log_in(ADA))


async def test_a_clients_own_provider_lets_into_that_client_alone(people: People, provider: OidcProvider) -> None:
    own, other = await people.platform.new_tenant(), await people.platform.new_tenant()
    door = await door_of(people, provider, client_account_id=own.client_account_id)
    tokens = (await door.log_in(await people.invited(ADA, "analyst", own))).json()
    assert refused(await door.log_in(await people.invited(ADA, "analyst", other)))
    accepted = await people.post(
        "/me/invitations", {"token": await people.invited(ADA, "analyst", other)}, bearer(tokens)
    )
    assert accepted.status_code == 200, accepted.text
    # The role is there, but not for a session of that provider.
    assert (await people.me(tokens, own)).json()["scopes"]
    assert (await people.me(tokens, other)).json()["scopes"] == []
    flows = await people.client.get("/api/v1/flows", headers=bearer(tokens, other))
    assert flows.status_code == 404
    body = {"provider_id": door.provider_id, "redirect_uri": BACK}
    assert (await people.post("/auth/oidc/logins", body)).status_code == 404


WRONG: dict[str, Claims] = {
    "nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "audience": {"aud": "another"},
    "several audiences and no party": {"aud": [CLIENT_ID, "another"]},
    "party": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "issuer": {"iss": "https://evil.example"},
    "over": {"exp": int(time.time()) - 120},
    "no end": {"exp": None},
    "not made yet": {"iat": int(time.time()) + 3600},
    "made long ago": {"iat": int(time.time()) - 3600},
    "no subject": {"sub": None},
}


@pytest.fixture
async def invited_door(people: People, provider: OidcProvider) -> Door:
    """A provider by which Ada has joined; every forgery that follows is of somebody who could get in."""
    door = await door_of(people, provider)
    assert (await door.log_in(await people.invited(ADA))).status_code == 200
    return door


async def test_a_forged_id_token_lets_nobody_in(invited_door: Door) -> None:
    for how, sign in FORGED.items():
        invited_door.provider.sign = sign
        assert refused(await invited_door.log_in()), how
    invited_door.provider.sign = None
    assert (await invited_door.log_in()).status_code == 200
    await invited_door.people.platform.settled()
    told = invited_door.people.events("login.failed")
    assert [each["data"]["method"] for each in told] == ["oidc"] * len(FORGED)


async def test_an_id_token_for_something_else_lets_nobody_in(invited_door: Door) -> None:
    for what, claims in WRONG.items():
        invited_door.provider.cheat = lambda made, claims=claims: made.update(claims)  # type: ignore[misc]
        assert refused(await invited_door.log_in()), what
    invited_door.provider.cheat = lambda made: made.update(aud=[CLIENT_ID, "another"], azp=CLIENT_ID)
    assert (await invited_door.log_in()).status_code == 200


async def test_code_state_and_secret_count_once_and_only_together(invited_door: Door) -> None:
    door, provider = invited_door, invited_door.provider
    begun = await door.begin()
    answer = provider.authorize(begun["authorization_url"])
    stolen = await door.begin()
    # Somebody else's browser has another secret, and so another state and verifier.
    assert refused(await door.end(stolen, answer))
    assert (await door.end(begun, answer)).status_code == 200
    assert refused(await door.end(begun, answer))
    fresh = await door.begin()
    state = provider.authorize(fresh["authorization_url"])["state"]
    # An old code injected into an honest login: the provider refuses it, and its verifier would not fit.
    injected = provider.authorize((await door.begin())["authorization_url"])
    assert refused(await door.end(fresh, {**injected, "state": state}))
    wrong = await door.begin()
    assert refused(await door.end(wrong, {**provider.authorize(wrong["authorization_url"]), "state": "x"}))
    # What was refused is over, too.
    assert refused(await door.end(wrong, provider.authorize(wrong["authorization_url"])))


async def test_a_login_that_took_too_long_is_over(invited_door: Door) -> None:
    begun = await invited_door.begin()
    await invited_door.people.sql("update gateway.oidc_logins set expires_at = now()")
    assert refused(await invited_door.end(begun, invited_door.provider.authorize(begun["authorization_url"])))


async def test_an_answer_of_another_issuer_is_no_answer(invited_door: Door) -> None:
    people = invited_door.people
    with running_provider() as evil:
        evil.person = dict(ADA_THERE)
        other = await door_of(people, evil)
        begun = await invited_door.begin()
        answer = invited_door.provider.authorize(begun["authorization_url"])
        assert refused(await invited_door.end(begun, {**answer, "iss": evil.issuer}))
        silent = await invited_door.begin()
        answer = invited_door.provider.authorize(silent["authorization_url"])
        del answer["iss"]
        assert refused(await invited_door.end(silent, answer))
        # The same subject at another provider is another person, who has no invitation.
        assert refused(await other.log_in())


async def test_keys_of_the_provider_rotate(invited_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    invited_door.provider.rotate()
    assert refused(await invited_door.log_in())
    monkeypatch.setattr("services.gateway.access.oidc_client.ASK_SECONDS", -1.0)
    assert (await invited_door.log_in()).status_code == 200


async def test_only_operators_set_providers_up_and_the_guard_judges_where_they_are(people: People) -> None:
    await people.joined(ADA, "engagement_lead")
    tokens = await people.signed_in(ADA)
    body = {"name": "Mine", "issuer": "http://10.0.0.1:8080", "client_id": "x"}
    response = await people.post("/login-providers", body, bearer(tokens))
    assert (response.status_code, response.json()["code"]) == (403, "missing_scope")
    made = await people.platform.post("/login-providers", body)
    assert made.status_code == 201
    begun = await people.post("/auth/oidc/logins", {"provider_id": made.json()["provider_id"], "redirect_uri": BACK})
    assert (begun.status_code, begun.json()["code"]) == (422, "url_not_allowed")
    elsewhere = await people.post(
        "/auth/oidc/logins",
        {"provider_id": made.json()["provider_id"], "redirect_uri": "https://evil.example/callback"},
    )
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (400, "redirect_not_allowed")
    listed = (await people.platform.get("/login-providers"))["items"]
    assert [(each["name"], each["has_secret"]) for each in listed] == [("Mine", False)]
    path = f"/api/v1/login-providers/{made.json()['provider_id']}"
    assert (await people.platform.client.put(path, json={**body, "client_secret": "s"})).json()["has_secret"]
    assert (await people.platform.client.put(path, json=body)).json()["has_secret"]
    assert (await people.platform.client.delete(path)).status_code == 200
    assert (await people.platform.client.delete(path)).status_code == 404
    assert await people.sql("select provider_id from gateway.login_providers") == []
