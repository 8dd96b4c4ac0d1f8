"""Sessions: refresh tokens are good once, access tokens while their session lives, and people can end their own."""

import asyncio
from typing import Any

import pytest

from contracts.envelope import PLATFORM
from services.gateway.access.cookies import NAME
from tests.gateway.people import People, bearer, people_of

ADA = "ada@contoso.example"
BOB = "bob@contoso.example"
OWN_PAGE = {"sec-fetch-site": "same-origin"}


async def statuses(people: People, *tokens: dict[str, Any]) -> list[int]:
    return [(await people.me(each)).status_code for each in tokens]


async def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_session_for_everybody(people: People) -> None:
    await people.joined(ADA)
    first = await people.signed_in(ADA)
    second = (await people.refresh(first["refresh_token"])).json()
    third = (await people.refresh(second["refresh_token"])).json()
    assert third["session_id"] == first["session_id"]
    assert await statuses(people, first, third) == [200, 200]
    stolen = await people.refresh(first["refresh_token"])
    assert (stolen.status_code, stolen.json()["code"]) == (401, "session_over")
    assert await statuses(people, first, second, third) == [401, 401, 401]
    assert (await people.refresh(third["refresh_token"])).status_code == 401
    await people.platform.settled()
    [reused] = people.events("refresh_token.reused")
    [revoked] = people.events("session.revoked")
    assert reused["data"]["session_id"] == revoked["data"]["session_id"] == first["session_id"]
    assert revoked["data"]["reason"] == "refresh_token_reused"
    # What belongs to nobody's client is told in the platform's tenant.
    assert reused["clientaccountid"] == str(PLATFORM.client_account_id)


async def test_a_robbed_session_leaves_the_others_alone(people: People) -> None:
    await people.joined(ADA)
    robbed, other = await people.signed_in(ADA), await people.signed_in(ADA)
    await people.refresh(robbed["refresh_token"])
    await people.refresh(robbed["refresh_token"])
    assert await statuses(people, robbed, other) == [401, 200]
    assert (await people.refresh(other["refresh_token"])).status_code == 200


async def test_of_one_token_that_is_sent_many_times_at_once_one_gets_an_answer_and_the_session_ends(
    people: People,
) -> None:
    await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    answers = await asyncio.gather(*(people.refresh(tokens["refresh_token"]) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await people.refresh(winner["refresh_token"])).status_code == 401
    await people.platform.settled()
    assert len(people.events("refresh_token.reused")) == 1


@pytest.mark.parametrize("token", ["", "x", "modernize_refresh_" + "A" * 43, "é" * 100])
async def test_what_is_no_refresh_token_ends_nothing(people: People, token: str) -> None:
    await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    assert (await people.refresh(token)).status_code == 401
    assert await statuses(people, tokens) == [200]


@pytest.mark.parametrize("column", ["idle_until", "expires_at"])
async def test_a_session_that_is_over_is_over_for_both_of_its_tokens(people: People, column: str) -> None:
    await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    await people.sql(f"update gateway.login_sessions set {column} = now()")
    assert await statuses(people, tokens) == [401]
    assert (await people.refresh(tokens["refresh_token"])).status_code == 401
    await people.platform.settled()
    assert people.events("refresh_token.reused") == []


async def test_who_signs_out_is_out_at_once_in_this_process_and_within_five_seconds_in_others(people: People) -> None:
    await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    async with people_of(people.platform) as elsewhere:
        now = 1000.0
        elsewhere.app.state.remembered._clock = lambda: now
        assert await statuses(people, tokens) == await statuses(elsewhere, tokens) == [200]
        done = await people.post("/auth/logout", {"refresh_token": tokens["refresh_token"]})
        assert (done.status_code, done.json()["sessions_ended"]) == (200, 1)
        assert await statuses(people, tokens) == [401]
        now += 5
        assert await statuses(elsewhere, tokens) == [401]
    again = await people.post("/auth/logout", {"refresh_token": tokens["refresh_token"]})
    assert (again.status_code, again.json()["sessions_ended"]) == (200, 0)


async def test_out_everywhere_is_out_everywhere_and_others_stay(people: People) -> None:
    await people.joined(ADA)
    await people.joined(BOB)
    mine, theirs = [await people.signed_in(ADA) for _ in range(3)], await people.signed_in(BOB)
    done = await people.post("/auth/logout-everywhere", None, bearer(mine[1]))
    assert (done.status_code, done.json()["sessions_ended"]) == (200, 3)
    assert await statuses(people, *mine, theirs) == [401, 401, 401, 200]
    assert [(await people.refresh(each["refresh_token"])).status_code for each in mine] == [401] * 3


async def test_people_see_their_own_sessions_and_end_one_of_them_and_nobody_elses(people: People) -> None:
    await people.joined(ADA)
    await people.joined(BOB)
    first, second, theirs = await people.signed_in(ADA), await people.signed_in(ADA), await people.signed_in(BOB)
    listed = (await people.client.get("/api/v1/me/sessions", headers=bearer(first))).json()["items"]
    assert [each["session_id"] for each in listed] == [second["session_id"], first["session_id"]]
    assert [each["current"] for each in listed] == [False, True]
    path = f"/api/v1/me/sessions/{theirs['session_id']}"
    assert (await people.client.delete(path, headers=bearer(first))).status_code == 404
    path = f"/api/v1/me/sessions/{second['session_id']}"
    assert (await people.client.delete(path, headers=bearer(first))).status_code == 200
    assert await statuses(people, first, second, theirs) == [200, 401, 200]
    assert (await people.client.delete(path, headers=bearer(first))).status_code == 404


async def test_a_browser_gets_its_refresh_token_as_a_cookie_that_only_own_pages_can_use(people: People) -> None:
    await people.joined(ADA)
    body = {"email": ADA, "password": "correct horse battery staple", "delivery": "cookie"}  # pragma: allowlist secret
    signed_in = await people.post("/auth/login", body)
    assert signed_in.json()["refresh_token"] is None
    attributes = {part.strip().lower() for part in signed_in.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= attributes
    assert not [each for each in attributes if each.startswith("domain")]
    assert signed_in.headers["cache-control"] == "no-store"
    for foreign in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {}):
        for path in ("/auth/refresh", "/auth/logout"):
            refused = await people.post(path, {}, foreign)
            assert (refused.status_code, refused.json()["code"]) == (403, "cross_site_request")
    refreshed = await people.post("/auth/refresh", {}, OWN_PAGE)
    assert (refreshed.status_code, refreshed.json()["refresh_token"]) == (200, None)
    assert refreshed.headers["set-cookie"].startswith(NAME)
    out = await people.post("/auth/logout", {}, OWN_PAGE)
    assert (out.status_code, out.json()["sessions_ended"]) == (200, 1)
    assert NAME not in people.client.cookies
    assert (await people.me(refreshed.json())).status_code == 401


async def test_who_is_deactivated_is_out(people: People) -> None:
    user_id = await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    nil = {"x-client-account-id": str(PLATFORM.client_account_id), "x-engagement-id": str(PLATFORM.engagement_id)}
    client = people.platform.client
    for action, status in (("deactivate", 401), ("reactivate", 200)):
        done = await client.post(f"/api/v1/users/{user_id}/{action}", headers=nil)
        assert done.status_code == 200, done.text
        assert (await people.log_in(ADA)).status_code == status
    async with people_of(people.platform) as elsewhere:
        # The session ended with the account, and does not come back with it.
        assert await statuses(elsewhere, tokens) == [401]
        assert (await elsewhere.refresh(tokens["refresh_token"])).status_code == 401
