"""Access tokens: JWTs (RFC 9068) signed with Ed25519, good for ten minutes while their session is alive."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM
from services.chassis.encryption import Vault
from services.chassis.tenancy import enter
from services.gateway.access.grants import account
from services.gateway.access.identity import Identity
from services.gateway.access.key_schedule import ACCESS_TOKEN
from services.gateway.access.people_tables import LoginSession, SigningKey, User
from services.gateway.access.rotation import Family, alive
from services.gateway.access.signing_keys import KeyRing, kid_of, read_keys

ISSUER = "urn:ai-modernize:gateway"
AUDIENCE = "urn:ai-modernize:api"
TYPE = "at+jwt"
ALGORITHM = "Ed25519"
# RFC 9068, section 2.2, and the session that the token belongs to.
_ESSENTIAL = {name: {"essential": True} for name in ("exp", "iat", "sub", "sid", "jti")}


def claims_of(token: str, keys: KeySet, now: datetime) -> Mapping[str, object] | None:
    """The claims of a token that one of the keys signed, for us and for now; None for anything else."""
    registry = JWTClaimsRegistry(
        now=int(now.timestamp()),
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        **_ESSENTIAL,  # type: ignore[arg-type]  # a TypedDict each
    )
    try:
        decoded = jwt.decode(token, keys, algorithms=[ALGORITHM])
        registry.validate(decoded.claims)
    except (JoseError, ValueError):
        return None
    return decoded.claims if decoded.header.get("typ") == TYPE else None


class AccessTokens:
    """Makes and checks access tokens in one gateway process, with a copy of the keys."""

    def __init__(self, vault: Vault) -> None:
        """Reads the keys on first use."""
        self._vault = vault
        self._ring: KeyRing | None = None

    async def issue(self, session: AsyncSession, user_id: UUID, session_id: UUID) -> str:
        """A token for a session that is alive; leaves the database session in the platform's tenant."""
        now = datetime.now(UTC)
        # Read each time: a copy may have a key that was revoked since.
        ring = self._ring = await read_keys(session, self._vault, now)
        kid, key = ring.signing(now)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(session_id),
            "iat": int(now.timestamp()),
            "exp": int((now + ACCESS_TOKEN).timestamp()),
            "jti": str(uuid4()),
        }
        return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": kid}, claims, key, algorithms=[ALGORITHM])

    async def holder(self, session: AsyncSession, token: str) -> Identity | None:
        """Whose token it is, or None; leaves the database session in the platform's tenant."""
        now = datetime.now(UTC)
        ring = await self._keys(session, now, token)
        claims = claims_of(token, ring.public(now), now)
        if claims is None:
            return None
        await enter(session, PLATFORM)
        statement = select(LoginSession, User).where(
            LoginSession.session_id == UUID(str(claims["sid"])),
            LoginSession.user_id == UUID(str(claims["sub"])),
            User.user_id == LoginSession.user_id,
            User.status == "active",
            # A copy of the keys may have one that was revoked since.
            exists().where(SigningKey.kid == kid_of(token)),
        )
        row = (await session.execute(statement)).first()
        if row is None or not alive(family_of(row[0]), now):
            return None
        return Identity(
            kind="user",
            subject=f"user:{row[1].user_id}",
            name=row[1].email,
            session_id=row[0].session_id,
            home=None if row[0].within is None else account(row[0].within),
            valid_until=datetime.fromtimestamp(float(str(claims["exp"])), UTC),
        )

    async def _keys(self, session: AsyncSession, now: datetime, of_token: str) -> KeyRing:
        """The keys as they are known, or read again where the copy is old or lacks the one that is asked for."""
        ring = self._ring
        if ring is None or ring.is_old() or (ring.may_ask() and not ring.knows(of_token)):
            ring = self._ring = await read_keys(session, self._vault, now)
        return ring


def looks_like_token(credential: str) -> bool:
    """Whether it has the form of a JWT, which no API key has."""
    return credential.count(".") == 2


def family_of(row: LoginSession) -> Family:
    """A session's row as the rules see it."""
    return Family(row.expires_at, row.idle_until, ended=row.ended_at is not None)
