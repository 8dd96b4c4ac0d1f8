"""When signing keys are revoked, every access token is refused at once, and sessions go on."""

from tests.gateway.people import People, people_of

ADA = "ada@contoso.example"


async def test_every_token_is_refused_at_once_and_the_session_gets_the_next_one(people: People) -> None:
    await people.joined(ADA)
    async with people_of(people.platform) as elsewhere:
        tokens = await people.signed_in(ADA)
        assert (await people.me(tokens)).status_code == 200
        before = {each["kid"] for each in (await people.client.get("/.well-known/jwks.json")).json()["keys"]}
        # It takes a copy of the keys, which is good for a minute, and remembers nobody.
        assert (await elsewhere.me(tokens)).status_code == 200
        elsewhere.app.state.remembered.forget()
        done = await people.post("/signing-keys/revocation", None, people.platform.of())
        assert done.status_code == 201, done.text
        assert before <= set(done.json()["revoked"])
        for process in (people, elsewhere):
            refused = await process.me(tokens)
            assert (refused.status_code, refused.json()["code"]) == (401, "bad_access_token")
        # Another process whose copy is old signs with the new key all the same.
        next_ones = await elsewhere.refresh(tokens["refresh_token"])
        assert next_ones.status_code == 200
        assert (await elsewhere.me(next_ones.json())).status_code == 200
    after = {each["kid"] for each in (await people.client.get("/.well-known/jwks.json")).json()["keys"]}
    assert done.json()["kid"] in after
    assert not before & after
    told = await people.platform.told("signing_keys.revoked")
    assert set(told["data"]["kids"]) == set(done.json()["revoked"])
    assert told["data"]["revoked_by"] == "key:bootstrap"
