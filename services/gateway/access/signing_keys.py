"""The keys that sign access tokens: made ahead of their time, kept sealed, told to everybody."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from joserfc.jwk import KeySet, OKPKey
from joserfc.jws import extract_compact
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM
from contracts.people import SigningKeyMade
from contracts.rest_people import SigningKeySet, SigningKeyView
from services.chassis.encryption import Vault
from services.chassis.runtime import Runtime
from services.chassis.tenancy import enter
from services.gateway.access.key_schedule import CLOCKS_DIFFER, KeyTimes, next_times, signing, verifying
from services.gateway.access.people_tables import PRIVATE_KEY, SigningKey

PURPOSE = PRIVATE_KEY.purpose
# How old the copy in a process may be, and how often a token of an unknown key may have it read again.
COPY_SECONDS = 60.0
ASK_SECONDS = 1.0
_ONE_AT_A_TIME = select(func.pg_advisory_xact_lock(func.hashtext("gateway.signing_keys")))


@dataclass(frozen=True)
class KeyRing:
    """A process's copy of the keys."""

    times: list[KeyTimes]
    keys: Mapping[str, OKPKey]
    read_at: float = field(default_factory=time.monotonic)

    def signing(self, now: datetime) -> tuple[str, OKPKey]:
        """The key that signs now, with its name."""
        current = signing(self.times, now)
        if current is None:
            raise LookupError("no key signs access tokens now, although welcome() makes one")
        return current.kid, self.keys[current.kid]

    def public(self, now: datetime) -> KeySet:
        """The keys whose signatures count."""
        return KeySet([self.keys[each.kid] for each in verifying(self.times, now)])

    def knows(self, token: str) -> bool:
        """Whether the key is here that a token says it was signed with."""
        try:
            return kid_of(token) in self.keys
        except ValueError:
            return True

    def is_old(self) -> bool:
        """Whether it should be read again before it is used."""
        return time.monotonic() - self.read_at > COPY_SECONDS

    def may_ask(self) -> bool:
        """Whether it may be read again only because a token names a key that is not here."""
        return time.monotonic() - self.read_at > ASK_SECONDS


async def read_keys(session: AsyncSession, vault: Vault, now: datetime) -> KeyRing:
    """The keys that sign, or whose tokens may be around; leaves the session in the platform's tenant."""
    await enter(session, PLATFORM)
    rows = {row.kid: row for row in await session.scalars(select(SigningKey))}
    times = verifying([_times(row) for row in rows.values()], now)
    keys = {}
    for each in times:
        secret = vault.open(PLATFORM, PURPOSE, each.kid, rows[each.kid].sealed).decode()
        keys[each.kid] = OKPKey.import_key(
            {"kty": "OKP", "crv": "Ed25519", "x": rows[each.kid].public, "d": secret, "kid": each.kid, "use": "sig"}
        )
    return KeyRing(times, keys)


async def make_keys(session: AsyncSession, vault: Vault, now: datetime) -> list[SigningKeyMade]:
    """Make the key that the schedule wants, if any, and forget those whose tokens have all ended.

    Returns what is to be told of it; leaves the session in the platform's tenant.
    """
    await enter(session, PLATFORM)
    # Of several gateways that look at the same time one makes the key.
    await session.execute(_ONE_AT_A_TIME)
    times = [_times(row) for row in await session.scalars(select(SigningKey))]
    kept = {each.kid for each in verifying(times, now)}
    gone = [each.kid for each in times if each.kid not in kept]
    if gone:
        await session.execute(delete(SigningKey).where(SigningKey.kid.in_(gone)))
    made = []
    while (wanted := next_times(times, now)) is not None:
        key = OKPKey.generate_key("Ed25519", auto_kid=True)
        parts = key.as_dict(private=True)
        kid = str(key.kid)
        session.add(
            SigningKey(
                kid=kid,
                public=parts["x"],
                sealed=vault.seal(PLATFORM, PURPOSE, kid, str(parts["d"]).encode()),
                signs_from=wanted[0],
                signs_until=wanted[1],
            )
        )
        times.append(KeyTimes(kid, *wanted))
        made.append(SigningKeyMade(tenant=PLATFORM, kid=kid, signs_from=wanted[0], signs_until=wanted[1]))
    return made


async def replace_keys(session: AsyncSession, vault: Vault, now: datetime) -> tuple[list[str], list[SigningKeyMade]]:
    """Forget every key and make one that signs from now on; the ids of those that are gone, and what is to be told.

    Leaves the session in the platform's tenant.
    """
    await enter(session, PLATFORM)
    await session.execute(_ONE_AT_A_TIME)
    gone = sorted(await session.scalars(delete(SigningKey).returning(SigningKey.kid)))
    # Also where another process's clock is behind.
    return gone, await make_keys(session, vault, now - CLOCKS_DIFFER)


async def published(runtime: Runtime) -> SigningKeySet:
    """The public keys that tokens may be signed with, the next one among them."""
    async with runtime.database.transaction(PLATFORM) as session:
        rows = list(await session.scalars(select(SigningKey).order_by(SigningKey.signs_from)))
    current = {each.kid for each in verifying([_times(row) for row in rows], datetime.now(UTC))}
    return SigningKeySet(keys=[SigningKeyView(kid=row.kid, x=row.public) for row in rows if row.kid in current])


def kid_of(token: str) -> object:
    """The key that a token says it was signed with; raises `ValueError` for what is no token."""
    return extract_compact(token.encode()).headers().get("kid")


def _times(row: SigningKey) -> KeyTimes:
    return KeyTimes(row.kid, row.signs_from, row.signs_until)
