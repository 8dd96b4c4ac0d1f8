"""Sessions of people: begun by a login, gone on with by refresh tokens, ended by whoever may."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Event, uuid7
from contracts.people import LoginMethod, LoginSucceeded, RefreshTokenReused, SessionEnd, SessionRevoked
from contracts.rest_people import TokensView
from services.chassis.tenancy import enter
from services.gateway.access.access_tokens import AccessTokens, family_of
from services.gateway.access.key_schedule import ACCESS_TOKEN
from services.gateway.access.opaque_tokens import digest, new_token
from services.gateway.access.people_tables import LoginSession, RefreshToken, User
from services.gateway.access.rotation import Family, begun, presented, used
from services.gateway.routes.access import emit

USER_AGENT_CHARACTERS = 300


@dataclass(frozen=True)
class Visitor:
    """From where somebody asks."""

    source: str
    user_agent: str | None


async def begin_session(
    session: AsyncSession,
    tokens: AccessTokens,
    user_id: UUID,
    method: LoginMethod,
    visitor: Visitor,
    within: UUID | None = None,
) -> TokensView:
    """Let a person in, everywhere or `within` one client account; leaves the session in the platform's tenant."""
    await enter(session, PLATFORM)
    now, session_id = datetime.now(UTC), uuid7()
    family = begun(now)
    row = LoginSession(
        session_id=session_id,
        user_id=user_id,
        method=method,
        user_agent=(visitor.user_agent or "")[:USER_AGENT_CHARACTERS] or None,
        source=visitor.source,
        within=within,
        started_at=now,
        used_at=now,
        idle_until=family.idle_until,
        expires_at=family.expires_at,
    )
    session.add(row)
    await session.flush()
    told = LoginSucceeded(
        tenant=PLATFORM, user_id=user_id, session_id=session_id, method=method, address=visitor.source
    )
    await emit(session, told)
    return await _tokens(session, tokens, row, now)


async def go_on(session: AsyncSession, tokens: AccessTokens, token: str, visitor: Visitor) -> TokensView | None:
    """The next tokens of a session for its refresh token; None if that is not good, or not any more.

    A token that comes a second time ends the session, and that must be committed although nobody gets in.
    """
    await enter(session, PLATFORM)
    now = datetime.now(UTC)
    # The session first: who uses two tokens of it at once waits here, and so does who ends it.
    family_id = select(RefreshToken.session_id).where(RefreshToken.digest == digest(token)).scalar_subquery()
    row = await session.scalar(select(LoginSession).where(LoginSession.session_id == family_id).with_for_update())
    if row is None:
        return None
    known = (await session.scalars(select(RefreshToken).where(RefreshToken.digest == digest(token)))).one()
    outcome = presented(family_of(row), now, rotated=known.rotated_at is not None)
    if outcome == "reused":
        reused = RefreshTokenReused(
            tenant=PLATFORM, user_id=row.user_id, session_id=row.session_id, address=visitor.source
        )
        await emit(session, reused, *_end([row], now, "refresh_token_reused"))
    active = await session.scalar(select(User.user_id).where(User.user_id == row.user_id, User.status == "active"))
    if outcome != "rotate" or active is None:
        return None
    known.rotated_at = now
    family = used(family_of(row), now)
    row.used_at, row.idle_until = now, family.idle_until
    return await _tokens(session, tokens, row, now)


async def end_by_token(session: AsyncSession, token: str) -> list[UUID]:
    """End the session of a refresh token, used or not; the ids of what ended."""
    await enter(session, PLATFORM)
    of_token = select(RefreshToken.session_id).where(RefreshToken.digest == digest(token)).scalar_subquery()
    return await _end_where(session, LoginSession.session_id == of_token, "logged_out")


async def end_sessions(
    session: AsyncSession, user_id: UUID, reason: SessionEnd, *, but: UUID | None = None, only: UUID | None = None
) -> list[UUID]:
    """End a person's live sessions, `but` one, or `only` one; the ids of what ended."""
    await enter(session, PLATFORM)
    which = LoginSession.user_id == user_id
    if but is not None:
        which &= LoginSession.session_id != but
    if only is not None:
        which &= LoginSession.session_id == only
    return await _end_where(session, which, reason)


async def live_sessions(session: AsyncSession, user_id: UUID) -> Sequence[LoginSession]:
    """A person's sessions that are good for something, the newest first."""
    await enter(session, PLATFORM)
    now = datetime.now(UTC)
    statement = (
        select(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
        .where(LoginSession.expires_at > now, LoginSession.idle_until > now)
        .order_by(LoginSession.session_id.desc())
    )
    return (await session.scalars(statement)).all()


def ends_at(family: Family) -> datetime:
    """When a session ends that nobody uses any more."""
    return min(family.idle_until, family.expires_at)


async def _tokens(session: AsyncSession, tokens: AccessTokens, row: LoginSession, now: datetime) -> TokensView:
    refresh = new_token("refresh")
    session.add(RefreshToken(digest=digest(refresh), session_id=row.session_id, issued_at=now))
    return TokensView(
        access_token=await tokens.issue(session, row.user_id, row.session_id),
        expires_in=int(ACCESS_TOKEN.total_seconds()),
        refresh_token=refresh,
        refresh_expires_at=ends_at(family_of(row)),
        session_id=row.session_id,
    )


async def _end_where(session: AsyncSession, which: ColumnElement[bool], reason: SessionEnd) -> list[UUID]:
    now = datetime.now(UTC)
    # In one order, so that two who end the same sessions do not wait for each other.
    live = LoginSession.ended_at.is_(None) & (LoginSession.expires_at > now) & (LoginSession.idle_until > now)
    statement = select(LoginSession).where(which, live).order_by(LoginSession.session_id)
    rows = (await session.scalars(statement.with_for_update())).all()
    await emit(session, *_end(rows, now, reason))
    return [row.session_id for row in rows]


def _end(rows: Sequence[LoginSession], now: datetime, reason: SessionEnd) -> list[Event]:
    for row in rows:
        row.ended_at, row.ended_reason = now, reason
    return [
        SessionRevoked(tenant=PLATFORM, user_id=row.user_id, session_id=row.session_id, reason=reason) for row in rows
    ]
