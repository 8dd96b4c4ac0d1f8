"""Access tokens: what is in them, who may check them, and what is not taken for one."""

import asyncio
import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey, RSAKey

from services.gateway.access.access_tokens import claims_of
from services.gateway.access.upkeep import look_after_keys
from tests.gateway.people import People, people_of

ADA = "ada@contoso.example"
Claims = dict[str, Any]


async def key_set(people: People) -> dict[str, Any]:
    response = await people.client.get("/.well-known/jwks.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


def part(token: str, index: int) -> Claims:
    text = token.split(".")[index]
    parsed: Claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return parsed


async def test_a_token_says_who_for_whom_and_for_how_long_and_anybody_can_check_it(people: People) -> None:
    user_id = await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    document = await key_set(people)
    decoded = jwt.decode(
        tokens["access_token"], KeySet([OKPKey.import_key(key) for key in document["keys"]]), algorithms=["Ed25519"]
    )
    assert decoded.header["typ"] == "at+jwt"
    assert decoded.header["kid"] in [key["kid"] for key in document["keys"]]
    claims = decoded.claims
    assert (claims["sub"], claims["sid"]) == (user_id, tokens["session_id"])
    assert (claims["iss"], claims["aud"]) == ("urn:ai-modernize:gateway", "urn:ai-modernize:api")
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 600
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "exp", "jti"}
    assert all(set(key) == {"kty", "crv", "use", "alg", "kid", "x"} for key in document["keys"])


def unsigned(header: Claims, claims: Claims) -> str:
    encoded = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (header, claims)]
    return ".".join([*encoded, ""])


def with_public_key_as_secret(token: str, keys: dict[str, Any]) -> str:
    # By hand: the library refuses to make such a thing.
    public = OKPKey.import_key(keys["keys"][0]).as_pem(private=False)
    body = unsigned({**part(token, 0), "alg": "HS256"}, part(token, 1)).rstrip(".")
    signature = hmac.digest(public, body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def of_a_strangers_key(token: str, _: dict[str, Any]) -> str:
    key = OKPKey.generate_key("Ed25519", {"kid": part(token, 0)["kid"]})
    return jwt.encode(part(token, 0), part(token, 1), key, ["Ed25519"])


def with_its_own_key_inside(token: str, _: dict[str, Any]) -> str:
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    header = {**part(token, 0), "kid": key.kid, "jwk": key.as_dict(private=False)}
    return jwt.encode(header, part(token, 1), key, ["Ed25519"])


def of_another_algorithm(token: str, _: dict[str, Any]) -> str:
    rsa = RSAKey.generate_key(2048, {"kid": part(token, 0)["kid"]})
    return jwt.encode({**part(token, 0), "alg": "RS256"}, part(token, 1), rsa, ["RS256"])


def with_a_longer_life(token: str, __: dict[str, Any]) -> str:
    first, _, signature = token.split(".")
    claims = {**part(token, 1), "exp": part(token, 1)["exp"] + 3600}
    return f"{first}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


FORGED: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "alg none": lambda token, _: unsigned({**part(token, 0), "alg": "none"}, part(token, 1)),
    "alg None in capitals": lambda token, _: unsigned({**part(token, 0), "alg": "NONE"}, part(token, 1)),
    "no signature": lambda token, _: token.rpartition(".")[0] + ".",
    "public key as the secret of HS256": with_public_key_as_secret,
    "a stranger's key under our name": of_a_strangers_key,
    "a key of its own inside": with_its_own_key_inside,
    "another algorithm": of_another_algorithm,
    "a longer life": with_a_longer_life,
    "two dots and nothing else": lambda _, __: "..",
    "not base64": lambda token, _: token.replace(".", "!.", 1),
    "not JSON": lambda token, _: "eA." + token.partition(".")[2],
}


@pytest.mark.parametrize("how", FORGED)
async def test_a_forged_token_is_nobodys(people: People, how: str) -> None:
    await people.joined(ADA)
    tokens = await people.signed_in(ADA)
    forged = FORGED[how](tokens["access_token"], await key_set(people))
    answer = await people.me({"access_token": forged})
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_access_token")
    assert (await people.me(tokens)).status_code == 200


KEY = OKPKey.generate_key("Ed25519", auto_kid=True)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GOOD: Claims = {
    "iss": "urn:ai-modernize:gateway",
    "aud": "urn:ai-modernize:api",
    "sub": "s",
    "sid": "i",
    "jti": "j",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 600,
}


def made(claims: Claims, **header: Any) -> str:
    return jwt.encode({"alg": "Ed25519", "typ": "at+jwt", "kid": KEY.kid, **header}, claims, KEY, ["Ed25519"])


def test_a_good_token_is_good_until_it_ends() -> None:
    keys = KeySet([KEY])
    assert claims_of(made(GOOD), keys, NOW) == GOOD
    assert claims_of(made(GOOD), keys, NOW + timedelta(seconds=599)) == GOOD
    assert claims_of(made(GOOD), keys, NOW + timedelta(seconds=600)) is None


@pytest.mark.parametrize("claim", sorted(GOOD))
def test_a_token_that_lacks_a_claim_is_none(claim: str) -> None:
    assert claims_of(made({name: value for name, value in GOOD.items() if name != claim}), KeySet([KEY]), NOW) is None


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        ({"iss": "https://evil.example"}, {}),
        ({"aud": "https://other.example"}, {}),
        ({"aud": []}, {}),
        ({"iat": GOOD["iat"] + 3600}, {}),
        ({"exp": "tomorrow"}, {}),
        ({}, {"typ": "JWT"}),
        ({}, {"typ": "logout+jwt"}),
    ],
)
def test_a_token_for_something_else_is_none(claims: Claims, header: Claims) -> None:
    assert claims_of(made({**GOOD, **claims}, **header), KeySet([KEY]), NOW) is None


async def test_keys_rotate_without_anybody_noticing(people: People) -> None:
    await people.joined(ADA)
    before = await people.signed_in(ADA)
    [old] = (await key_set(people))["keys"]
    # A day before its end: the next one is made and told.
    await people.sql("update gateway.signing_keys set signs_until = now() + interval '12 hours'")
    await look_after_keys(people.platform.runtime)
    announced = [key["kid"] for key in (await key_set(people))["keys"]]
    assert (announced[0], len(announced)) == (old["kid"], 2)
    # Its end: what it signed is still good, and new tokens are signed with the next.
    await people.sql(
        "update gateway.signing_keys set signs_from = signs_from - interval '1 day', "
        "signs_until = signs_until - interval '12 hours 1 minute'"
    )
    async with people_of(people.platform) as later:
        after = await later.signed_in(ADA)
        assert part(after["access_token"], 0)["kid"] == announced[1]
        assert [(await later.me(each)).status_code for each in (before, after)] == [200, 200]
    # The process that has the old copy learns of the new key by a token of it.
    people.app.state.tokens._ring = None
    assert (await people.me(after)).status_code == 200
    # Once all its tokens have ended, it is gone.
    over = "update gateway.signing_keys set signs_until = now() - interval '1 hour' where kid = :kid"
    await people.sql(over, kid=old["kid"])
    await look_after_keys(people.platform.runtime)
    assert [key["kid"] for key in (await key_set(people))["keys"]] == announced[1:]
    await people.platform.settled()
    assert [each["data"]["kid"] for each in people.events("signing_key.made")] == announced


async def test_gateways_that_look_at_the_same_time_make_one_key(people: People) -> None:
    await people.sql("delete from gateway.signing_keys")
    await asyncio.gather(*(look_after_keys(people.platform.runtime) for _ in range(4)))
    assert len((await key_set(people))["keys"]) == 1


async def test_a_sealed_key_opens_for_its_own_row_alone(people: People) -> None:
    await people.joined(ADA)
    await people.sql("update gateway.signing_keys set signs_until = now() + interval '12 hours'")
    await look_after_keys(people.platform.runtime)
    await people.sql(
        "update gateway.signing_keys a set sealed = b.sealed from gateway.signing_keys b where a.kid <> b.kid"
    )
    async with people_of(people.platform) as restarted:
        assert (await restarted.log_in(ADA)).status_code == 500
