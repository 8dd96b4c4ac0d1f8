"""Password resets: an operator makes a token, hands it over, and with it the person sets another password once.

There is no mail, so nobody can ask for one without an operator, who is told the token this once.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM
from contracts.people import PasswordResetMade
from contracts.rest_people import PasswordResetMadeView
from services.chassis.errors import Conflict, NotFound
from services.chassis.tenancy import enter
from services.gateway.access.opaque_tokens import digest, new_token
from services.gateway.access.people_tables import PasswordReset, User
from services.gateway.principal import Principal
from services.gateway.routes.access import emit
from services.gateway.tables import TENANT


async def make_reset(session: AsyncSession, caller: Principal, user_id: UUID, hours: int) -> PasswordResetMadeView:
    """A token for a person's account, instead of the one before; leaves the session in the platform's tenant."""
    if caller.subject == f"user:{user_id}":
        raise Conflict("oneself", "This is your own account: change its password with POST /api/v1/me/password.")
    await enter(session, PLATFORM)
    user = await session.scalar(select(User).where(User.user_id == user_id).with_for_update())
    if user is None:
        raise NotFound("user_not_found", f"There is no account {user_id}.")
    if user.status != "active":
        raise Conflict("is_deactivated", "This account is deactivated, so no password lets it in. Reactivate it first.")
    token, expires_at = new_token("password_reset"), datetime.now(UTC) + timedelta(hours=hours)
    row = {"user_id": user_id, "token_digest": digest(token), "expires_at": expires_at}
    await session.execute(
        insert(PasswordReset).values(row).on_conflict_do_update(index_elements=[*TENANT, "user_id"], set_=row)
    )
    told = PasswordResetMade(
        tenant=PLATFORM,
        user_id=user_id,
        made_by=caller.subject,
        made_by_name=caller.name,
        expires_at=expires_at,
    )
    await emit(session, told)
    return PasswordResetMadeView(user_id=user_id, email=user.email, token=token, expires_at=expires_at)


async def resettable(session: AsyncSession, token: str) -> User:
    """Whose password a token sets, locked; leaves the session in the platform's tenant.

    Raises `NotFound` for one that never was, that was used or replaced, is too old, or whose account is deactivated.
    """
    await enter(session, PLATFORM)
    open_one = PasswordReset.token_digest == digest(token), PasswordReset.expires_at > datetime.now(UTC)
    # The account first, as who makes or forgets a reset does.
    user_id = select(PasswordReset.user_id).where(*open_one).scalar_subquery()
    user = await session.scalar(select(User).where(User.user_id == user_id, User.status == "active").with_for_update())
    if user is None or await session.scalar(select(PasswordReset.user_id).where(*open_one)) is None:
        raise NotFound(
            "reset_not_found",
            "This password reset was used, was replaced by another, is too old, or never was. Ask for another.",
        )
    return user


async def forget_reset(session: AsyncSession, user_id: UUID) -> None:
    """Let no token set this account's password any more; the session is in the platform's tenant."""
    await session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))
