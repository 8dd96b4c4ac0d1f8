"""The first key of an installation: a platform admin's, until an operator who made others revokes it."""

import contextlib
import hashlib
import hmac
import os
import secrets
from functools import lru_cache

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.access import ROLE_SCOPES
from contracts.envelope import PLATFORM
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.tenancy import enter
from services.gateway.access.identity import Identity
from services.gateway.access.key_format import new_key, new_key_id
from services.gateway.access.tables import ApiKey

KEY_ID = "bootstrap"
NAME = "operator"
_SALT_BYTES = 16
# Memory for scrypt: 16 MiB, about 50 ms; once a process, for what is asked again is remembered.
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}


def bootstrap_key(settings: Settings) -> str:
    """The first key: from the settings, else one that is made once and kept in the data directory."""
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    path = settings.data_dir / "api_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".api_key.{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(new_key(new_key_id()))
        # Of two processes that make one at the same time, the first to link its own wins.
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
    return path.read_text().strip()


@lru_cache(maxsize=64)
def bootstrap_digest(key: str, salt: str) -> str:
    """What is stored of the bootstrap key: people may choose it, so it takes a slow digest, and needs no pepper."""
    return f"{salt}:{hashlib.scrypt(key.encode(), salt=salt.encode(), **_SCRYPT).hex()}"


async def remember_bootstrap_key(runtime: Runtime) -> None:
    """Let the bootstrap key in, unless it was revoked; a new one takes the place of the one before, revoked or not."""
    key = bootstrap_key(runtime.settings)
    async with runtime.database.transaction(PLATFORM) as session:
        row = await session.scalar(select(ApiKey).where(ApiKey.key_id == KEY_ID).with_for_update())
        if row is not None and _fits(key, row.digest):
            return
        values = {
            "key_id": KEY_ID,
            "name": NAME,
            "digest": bootstrap_digest(key, secrets.token_hex(_SALT_BYTES)),
            "pepper": 0,
            "role": "platform_admin",
            "scopes": sorted(ROLE_SCOPES["platform_admin"]),
            "created_by": "settings",
            "created_by_name": "the platform's settings",
        }
        if row is None:
            await session.execute(insert(ApiKey).values(values).on_conflict_do_nothing())
        else:
            again = {"revoked_at": None, "revoked_by_name": None, "last_used_at": None}
            await session.execute(update(ApiKey).where(ApiKey.key_id == KEY_ID).values(**values, **again))


async def holder_of_bootstrap_key(session: AsyncSession, settings: Settings, key: str) -> Identity | None:
    """Whose key it is if it is the bootstrap key; leaves the session in the platform's tenant if it is."""
    if not hmac.compare_digest(key.encode(), bootstrap_key(settings).encode()):
        return None
    await enter(session, PLATFORM)
    row = await session.scalar(select(ApiKey).where(ApiKey.key_id == KEY_ID, ApiKey.revoked_at.is_(None)))
    # Another process may have been started with another one since.
    if row is None or not _fits(key, row.digest):
        return None
    return Identity(
        kind="key", subject=f"key:{KEY_ID}", name=row.name, home=PLATFORM, scopes=ROLE_SCOPES["platform_admin"]
    )


def _fits(key: str, digest: str) -> bool:
    return hmac.compare_digest(bootstrap_digest(key, digest.partition(":")[0]), digest)
