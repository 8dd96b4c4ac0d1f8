"""What an ID token has to be before anybody is let in by it: OpenID Connect Core 1.0, section 3.1.3.7."""

from dataclasses import dataclass
from datetime import datetime

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

# Signatures with public keys alone: `none` is no signature, and for HS256 the public key would do as the secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
CLOCKS_DIFFER_SECONDS = 60
# A token is checked seconds after it was made; one that is older was kept by somebody.
OLDEST_SECONDS = 600
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class UntrustedToken(Exception):
    """The ID token proves nothing; the text is for the log, and not for who sent it."""


@dataclass(frozen=True)
class Proof:
    """What a provider says of somebody."""

    subject: str
    email: str | None
    email_verified: bool
    name: str | None


def proof_of(id_token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: datetime) -> Proof:
    """What an ID token proves; raises `UntrustedToken`."""
    registry = JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=CLOCKS_DIFFER_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        decoded = jwt.decode(id_token, keys, algorithms=list(ALGORITHMS))
        registry.validate(decoded.claims)
    except (JoseError, ValueError) as error:
        raise UntrustedToken(repr(error)) from error
    claims = decoded.claims
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    party = claims.get("azp")
    if (len(audiences) > 1 and party is None) or (party is not None and party != client_id):
        raise UntrustedToken(f"the token was made for {party!r}")
    if now.timestamp() - float(claims["iat"]) > OLDEST_SECONDS:
        raise UntrustedToken("the token is old")
    email, name = claims.get("email"), claims.get("name")
    return Proof(
        subject=claims["sub"],
        email=email if isinstance(email, str) else None,
        # Some providers send a text.
        email_verified=claims.get("email_verified") in (True, "true"),
        name=name[:200] if isinstance(name, str) and name.strip() else None,
    )


def signing_keys(document: object) -> KeySet:
    """The public keys of a JWK set that sign; raises `UntrustedToken` for what is no such set."""
    keys = document.get("keys") if isinstance(document, dict) else None
    usable = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict) and key.get("kty") in _KEY_TYPES.values() and key.get("use", "sig") == "sig"
    ]
    try:
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError) as error:
        raise UntrustedToken(f"no keys that sign: {error!r}") from error
