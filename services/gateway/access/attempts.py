"""Attempts to sign in with a password, counted before they are looked at: many at once cannot outrun the count."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM
from contracts.people import LoginFailed, LoginLocked
from services.chassis.errors import Unauthorized
from services.chassis.tenancy import enter
from services.gateway.access.backoff import ACCOUNT, MEMORY, SOURCE, Counter, Patience, after_failure, seconds_locked
from services.gateway.access.emails import account_digest, email_key
from services.gateway.access.entrance import Entrance
from services.gateway.access.people_tables import LoginCounter, User
from services.gateway.problems import TryLater
from services.gateway.routes.access import emit


class LoginRefused(Unauthorized):
    """Nobody got in; says the same whether there is such an account or not."""

    def __init__(self) -> None:
        super().__init__("login_refused", "Address and password do not fit. After some failures you have to wait.")


class LoginIsLocked(TryLater):
    """Too many attempts on an account, that exists or not, or from a network address."""

    status = 429


@dataclass(frozen=True)
class _Found:
    user_id: UUID | None = None
    password_hash: str | None = None


async def checked_password(entrance: Entrance, email: str, password: str, source: str) -> User:
    """The active person whose password it is. Has its own transactions; call `forgive` in that of its effect.

    Raises `LoginRefused`, `LoginIsLocked` or `TooManyLogins`. Takes the same steps for addresses that nobody has.
    """
    entrance.hashing.check_room()
    database = entrance.runtime.database
    async with database.transaction(PLATFORM) as session:
        locks = await _count(session, email, source)
        row = await _active(session, email)
        found = _Found() if row is None else _Found(row.user_id, row.password_hash)
    fits = await entrance.hashing.fits(password, found.password_hash)
    outdated = fits and found.password_hash is not None and entrance.hashing.is_outdated(found.password_hash)
    better = await entrance.hashing.hash(password) if outdated else None
    async with database.transaction(PLATFORM) as session:
        user = await _active(session, email) if fits else None
        if user is not None and user.password_hash == found.password_hash:
            user.password_hash = better or user.password_hash
            return user
        failed = LoginFailed(
            tenant=PLATFORM,
            user_id=found.user_id,
            account=account_digest(email),
            method="password",
            reason="wrong_password" if found.user_id else "unknown_account",
            address=source,
        )
        await emit(session, failed, *locks)
    entrance.runtime.committed()
    raise LoginRefused


async def forgive(session: AsyncSession, email: str, source: str) -> None:
    """Take back what `checked_password` counted, and all failures of the account; the source's others stay."""
    await enter(session, PLATFORM)
    own = LoginCounter.kind == "source", LoginCounter.key == source
    await session.execute(
        delete(LoginCounter).where(LoginCounter.kind == "account", LoginCounter.key == account_digest(email))
    )
    row = await session.scalar(select(LoginCounter).where(*own).with_for_update())
    if row is not None:
        left = max(row.failures - 1, 0)
        locked = row.locked_until if left > SOURCE.free else None
        await session.execute(update(LoginCounter).where(*own).values(failures=left, locked_until=locked))


async def forget_old_counters(session: AsyncSession) -> None:
    """Drop what counts no more."""
    await enter(session, PLATFORM)
    await session.execute(delete(LoginCounter).where(LoginCounter.failed_at < datetime.now(UTC) - MEMORY))


async def _active(session: AsyncSession, email: str) -> User | None:
    user: User | None = await session.scalar(
        select(User).where(User.email_key == email_key(email), User.status == "active")
    )
    return user


async def _count(session: AsyncSession, email: str, source: str) -> list[LoginLocked]:
    """Count an attempt as a failure of account and source; raises `LoginIsLocked` where one of them has to wait.

    Returns what is to be told of the locks that this makes, unless the attempt succeeds, which undoes them.
    """
    now = datetime.now(UTC)
    keys: tuple[tuple[str, str, Patience], ...] = (
        ("account", account_digest(email), ACCOUNT),
        ("source", source, SOURCE),
    )
    rows = []
    for kind, key, patience in keys:
        held = insert(LoginCounter).values(kind=kind, key=key, failures=0)
        held = held.on_conflict_do_update(
            index_elements=["client_account_id", "engagement_id", "kind", "key"],
            set_={"failures": LoginCounter.failures},
        )
        rows.append(((await session.scalars(held.returning(LoginCounter))).one(), patience))
    waiting = max(seconds_locked(_counter(row), now) for row, _ in rows)
    if waiting:
        raise LoginIsLocked(
            "login_locked", f"Too many attempts. Try again in {timedelta(seconds=waiting)}.", seconds=waiting
        )
    locks = []
    for row, patience in rows:
        counter = after_failure(patience, _counter(row), now)
        row.failures, row.failed_at, row.locked_until = counter.failures, counter.failed_at, counter.locked_until
        if counter.locked_until is not None:
            locked = LoginLocked(
                tenant=PLATFORM,
                account=row.key if row.kind == "account" else None,
                address=row.key if row.kind == "source" else None,
                failures=counter.failures,
                locked_until=counter.locked_until,
            )
            locks.append(locked)
    return locks


def _counter(row: LoginCounter) -> Counter:
    return Counter(row.failures, row.failed_at, row.locked_until)
