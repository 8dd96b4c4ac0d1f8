"""Signing in with a password: who gets in, who waits, and what nobody learns from the answers."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher

from services.gateway.access.password_hashing import MOST_WAITING, PasswordHashing
from tests.gateway.people import OTHER_PASSWORD, PASSWORD, People, bearer, people_of

ADA = "ada@contoso.example"


class Counted(PasswordHashing):
    """Counts what it does, with parameters that cost little."""

    def __init__(self, memory_cost: int = 8) -> None:
        super().__init__(PasswordHasher(time_cost=1, memory_cost=memory_cost, parallelism=1))
        self.done: list[str] = []

    async def hash(self, password: str) -> str:
        self.done.append("hash")
        return await super().hash(password)

    async def fits(self, password: str, stored: str | None) -> bool:
        self.done.append("fits")
        return await super().fits(password, stored)


def without_trace(response: Any) -> dict[str, Any]:
    return {name: value for name, value in response.json().items() if name != "trace_id"}


async def test_who_was_invited_joins_signs_in_and_is_somebody(people: People) -> None:
    tenant = await people.platform.new_tenant()
    user_id = await people.joined(ADA, "analyst", tenant)
    tokens = await people.signed_in("Ada@Contoso.EXAMPLE")
    me = (await people.me(tokens, tenant)).json()
    assert (me["subject"], me["email"]) == (f"user:{user_id}", ADA)
    assert me["memberships"] == [{**tenant.model_dump(mode="json"), "role": "analyst"}]
    assert "flows:write" in me["scopes"]
    assert "users:write" not in me["scopes"]
    flows = await people.client.get("/api/v1/flows", headers=bearer(tokens, tenant))
    assert flows.status_code == 200
    refused = await people.client.get("/api/v1/users", headers=bearer(tokens, tenant))
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


async def test_a_person_has_no_business_where_it_has_no_role(people: People) -> None:
    own, other = await people.platform.new_tenant(), await people.platform.new_tenant()
    await people.joined(ADA, "engagement_lead", own)
    tokens = await people.signed_in(ADA)
    answer = await people.client.get("/api/v1/flows", headers=bearer(tokens, other))
    assert (answer.status_code, answer.json()["code"]) == (404, "engagement_not_found")
    assert (await people.me(tokens, other)).json()["scopes"] == []


async def test_an_unknown_account_and_a_wrong_password_are_answered_alike_for_the_same_work(people: People) -> None:
    people.app.state.entrance.hashing = hashing = Counted()
    await people.joined(ADA)
    answers, work = [], []
    for email in (ADA, "nobody@contoso.example"):
        hashing.done.clear()
        response = await people.log_in(email, "a wrong one of some length")
        assert response.status_code == 401
        answers.append(without_trace(response))
        work.append(list(hashing.done))
    assert answers[0] == answers[1]
    assert work == [["fits"], ["fits"]]


async def test_an_account_that_is_deactivated_or_has_no_password_is_nobody(people: People) -> None:
    await people.joined(ADA)
    for change in ("status = 'deactivated'", "status = 'active', password_hash = null"):
        await people.sql(f"update gateway.users set {change}")
        response = await people.log_in(ADA)
        assert (response.status_code, response.json()["code"]) == (401, "login_refused")


async def test_a_hash_of_other_parameters_is_made_again_when_its_password_comes(people: People) -> None:
    people.app.state.entrance.hashing = Counted(memory_cost=8)
    await people.joined(ADA)
    [(before,)] = await people.sql("select password_hash from gateway.users")
    people.app.state.entrance.hashing = hashing = Counted(memory_cost=16)
    await people.log_in(ADA, "a wrong one of some length")
    assert await people.sql("select password_hash from gateway.users") == [(before,)]
    await people.signed_in(ADA)
    [(after,)] = await people.sql("select password_hash from gateway.users")
    assert ("m=8," in before, "m=16," in after) == (True, True)
    hashing.done.clear()
    await people.signed_in(ADA)
    assert hashing.done == ["fits"]


@pytest.mark.parametrize("email", [ADA, "nobody@contoso.example"])
async def test_after_failures_an_account_has_to_wait_whether_it_exists_or_not(people: People, email: str) -> None:
    people.app.state.entrance.hashing = hashing = Counted()
    await people.joined(ADA)
    answers = [await people.log_in(email, "a wrong one of some length") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert 25 <= int(answers[-1].headers["retry-after"]) <= 31
    hashing.done.clear()
    right = await people.log_in(email, PASSWORD)
    assert (right.status_code, right.json()["code"], hashing.done) == (429, "login_locked", [])
    await people.platform.settled()
    told = [people.events(name) for name in ("login.failed", "login.locked", "login.succeeded")]
    assert [len(each) for each in told] == [5, 1, 0]
    assert told[1][0]["data"]["failures"] == 5
    assert all((each["data"]["user_id"] is None) == (email != ADA) for each in told[0])


async def test_a_lock_survives_a_restart_and_ends_with_its_time_and_counts_on(people: People) -> None:
    people.app.state.entrance.hashing = Counted()
    await people.joined(ADA)
    for _ in range(5):
        await people.log_in(ADA, "a wrong one of some length")
    async with people_of(people.platform) as restarted:
        assert (await restarted.log_in(ADA)).status_code == 429
        passed = "update gateway.login_counters set locked_until = now() - interval '1 second'"
        await people.sql(passed)
        locked = await restarted.log_in(ADA, "a wrong one of some length")
        assert locked.status_code == 401
        again = await restarted.log_in(ADA)
        assert again.status_code == 429
        assert 50 <= int(again.headers["retry-after"]) <= 61
        await people.sql(passed)
        assert (await restarted.log_in(ADA)).status_code == 200
        assert await people.sql("select failures from gateway.login_counters where kind = 'account'") == []


async def test_many_attempts_at_once_cannot_outrun_the_count(people: People) -> None:
    people.app.state.entrance.hashing = hashing = Counted()
    await people.joined(ADA)
    hashing.done.clear()
    answers = await asyncio.gather(*(people.log_in(ADA, f"guess number {n} of many") for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15
    assert hashing.done == ["fits"] * 5


async def test_who_tries_many_accounts_from_one_address_waits_and_a_login_of_ones_own_does_not_clear_it(
    people: People,
) -> None:
    people.app.state.entrance.hashing = Counted()
    await people.joined(ADA)
    for n in range(30):
        assert (await people.log_in(f"n{n}@contoso.example", "a wrong one of some length")).status_code == 401
    assert (await people.log_in(ADA)).status_code == 200
    for n in range(2):
        answer = await people.log_in(f"m{n}@contoso.example", "a wrong one of some length")
    assert answer.status_code == 429
    await people.platform.settled()
    [locked] = people.events("login.locked")
    assert (locked["data"]["address"], locked["data"]["account"]) == ("127.0.0.1", None)


async def test_more_logins_than_there_is_room_for_are_sent_away_before_anything_is_counted(people: People) -> None:
    people.app.state.entrance.hashing = hashing = Counted()
    hashing._waiting = MOST_WAITING
    answer = await people.log_in(ADA)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "too_many_logins", "2")
    assert await people.sql("select kind from gateway.login_counters") == []


async def test_nothing_that_lets_anybody_in_is_stored_or_told(people: People) -> None:
    await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    await people.refresh(tokens["refresh_token"])
    await people.log_in(ADA, "a wrong one of some length")
    await people.platform.settled()
    secrets = (PASSWORD, "a wrong one", tokens["refresh_token"], tokens["access_token"])
    told = str(people.platform.heard.messages)
    tables = ("users", "login_sessions", "refresh_tokens", "login_counters", "invitations", "signing_keys")
    stored = [str(await people.sql(f"select * from gateway.{table}")) for table in tables]
    assert all(stored)
    for secret in secrets:
        assert secret not in told
        assert not [table for table in stored if secret in table]
    public = [row[0] for row in await people.sql("select sealed from gateway.signing_keys")]
    assert all(len(sealed) > 60 for sealed in public)


@pytest.mark.parametrize(
    "body",
    [
        {"email": ADA, "password": "x" * 1025},
        {"email": "no address", "password": PASSWORD},
        {"email": "a@" + "b" * 260, "password": PASSWORD},
        {"email": ADA},
        {"email": ADA, "password": PASSWORD, "delivery": "pigeon"},
    ],
)
async def test_what_is_no_login_is_refused_without_any_work(people: People, body: dict[str, str]) -> None:
    people.app.state.entrance.hashing = hashing = Counted()
    response = await people.post("/auth/login", body)
    assert (response.status_code, hashing.done) == (422, [])
    assert "xxxx" not in response.text


async def test_a_changed_password_ends_the_other_sessions(people: People) -> None:
    await people.joined(ADA)
    first, second = await people.signed_in(ADA), await people.signed_in(ADA)
    change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    wrong = await people.post("/me/password", {**change, "current_password": OTHER_PASSWORD}, bearer(first))
    assert (wrong.status_code, wrong.json()["code"]) == (401, "login_refused")
    weak = await people.post(
        "/me/password",
        {**change, "new_password": "contoso-ada-2026"},  # pragma: allowlist secret
        bearer(first),  # pragma: allowlist secret
    )
    assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
    done = await people.post("/me/password", change, bearer(first))
    assert (done.status_code, done.json()["sessions_ended"]) == (200, 1)
    assert [(await people.me(tokens)).status_code for tokens in (first, second)] == [200, 401]
    assert [(await people.log_in(ADA, each)).status_code for each in (PASSWORD, OTHER_PASSWORD)] == [401, 200]


async def test_an_api_key_has_no_account_of_its_own(people: People) -> None:
    me = await people.platform.get("/me")
    assert (me["user_id"], me["memberships"]) == (None, [])
    assert "platform:write" in me["scopes"]
    for method, path in (("GET", "/me/sessions"), ("POST", "/auth/logout-everywhere")):
        response = await people.platform.client.request(method, f"/api/v1{path}")
        assert (response.status_code, response.json()["code"]) == (403, "not_a_person")
    ended = await people.platform.client.delete(f"/api/v1/me/sessions/{uuid4()}")
    assert ended.status_code == 403
