"""A password reset: an operator makes it, it counts once and not for long, and it ends what the old password began."""

import asyncio
from typing import Any

import httpx2

from contracts.envelope import PLATFORM
from services.gateway.access.grants import account
from tests.gateway.people import OTHER_PASSWORD, PASSWORD, People, bearer
from tests.gateway.test_keys import made

ADA = "ada@contoso.example"
BOB = "bob@contoso.example"


async def reset(people: People, user_id: str) -> dict[str, Any]:
    """A reset that the operator made."""
    response = await people.platform.post(f"/users/{user_id}/password-reset", None, PLATFORM)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def use(people: People, token: str, password: str = OTHER_PASSWORD) -> httpx2.Response:
    """The answer to setting a password with a token."""
    return await people.post("/auth/password-reset", {"token": token, "new_password": password})


async def test_a_token_sets_the_password_once_and_ends_every_session(people: People) -> None:
    user_id = await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    given = await reset(people, user_id)
    assert given["email"] == ADA
    # Until it is used nothing has changed.
    assert (await people.log_in(ADA)).status_code == 200
    weak = await use(people, given["token"], "ada-contoso-2026")
    assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
    answers = await asyncio.gather(*(use(people, given["token"]) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404]
    [done] = [answer.json() for answer in answers if answer.status_code == 200]
    assert done["sessions_ended"] == 2
    assert (await people.me(tokens)).status_code == 401
    assert (await people.refresh(tokens["refresh_token"])).status_code == 401
    assert [(await people.log_in(ADA, each)).status_code for each in (PASSWORD, OTHER_PASSWORD)] == [401, 200]
    await people.platform.settled()
    [told] = people.events("password_reset.made")
    assert (told["data"]["user_id"], told["data"]["made_by"]) == (user_id, "key:bootstrap")
    [changed] = people.events("password.changed")
    assert changed["data"]["by_reset"] is True
    stored = await people.sql("select * from gateway.password_resets")
    assert stored == []
    assert given["token"] not in str(people.platform.heard.messages)


async def test_a_newer_token_takes_the_place_of_the_one_before_and_no_token_outlives_its_time(people: People) -> None:
    user_id = await people.joined(ADA)
    first, second = await reset(people, user_id), await reset(people, user_id)
    assert (await use(people, first["token"])).json()["code"] == "reset_not_found"
    kept = str(await people.sql("select * from gateway.password_resets"))
    assert second["token"] not in kept
    await people.sql("update gateway.password_resets set expires_at = now()")
    assert (await use(people, second["token"])).json()["code"] == "reset_not_found"
    for token in ("", "x", "modernize_password_reset_"):
        assert (await use(people, token)).status_code == 404


async def test_who_changes_the_password_needs_no_reset_any_more(people: People) -> None:
    user_id = await people.joined(ADA)
    given = await reset(people, user_id)
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    changed = await people.post("/me/password", body, bearer(await people.signed_in(ADA)))
    assert changed.status_code == 200
    assert (await use(people, given["token"], PASSWORD)).status_code == 404


async def test_only_an_operator_makes_one_and_for_somebody_else_who_is_active(people: People) -> None:
    tenant = await people.platform.new_tenant()
    ada = await people.joined(ADA, "analyst", tenant)
    grace = await people.joined(BOB, "platform_admin", PLATFORM)
    admin = (await made(people.platform, account(tenant.client_account_id), role="client_admin"))["key"]
    path = f"/users/{ada}/password-reset"
    refused = await people.post(path, None, people.platform.of(tenant, admin))
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    # Of somebody who signed in on a machine that was left alone.
    own = await people.post(f"/users/{grace}/password-reset", None, bearer(await people.signed_in(BOB)))
    assert (own.status_code, own.json()["code"]) == (409, "oneself")
    given = await reset(people, ada)
    await people.platform.post(f"/users/{ada}/deactivate", None, PLATFORM)
    late = await people.platform.post(path, None, PLATFORM)
    assert (late.status_code, late.json()["code"]) == (409, "is_deactivated")
    assert (await use(people, given["token"])).status_code == 404
    nobody = await people.platform.post(f"/users/{tenant.engagement_id}/password-reset", None, PLATFORM)
    assert (nobody.status_code, nobody.json()["code"]) == (404, "user_not_found")


async def test_a_reset_lets_in_who_was_locked_out(people: People) -> None:
    user_id = await people.joined(ADA)
    while (answer := await people.log_in(ADA, "a wrong one of some length")).status_code == 401:
        pass
    assert answer.status_code == 429
    given = await reset(people, user_id)
    assert (await use(people, given["token"])).status_code == 200
    assert (await people.sql("select 1 from gateway.login_counters where kind = 'account'")) == []
