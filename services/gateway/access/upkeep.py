"""What looks after people's sessions and keys again and again."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from contracts.envelope import PLATFORM
from services.chassis.runtime import Runtime
from services.gateway.access.attempts import forget_old_counters
from services.gateway.access.people_tables import LoginSession, OidcLogin, RefreshToken
from services.gateway.access.signing_keys import make_keys
from services.gateway.handlers import service
from services.gateway.routes.access import emit

SECONDS = 3600.0
# A session that is over is kept that long, so that a stolen token that comes late is still told as what it is.
KEPT = timedelta(days=30)


@service.every(SECONDS)
async def look_after_keys(runtime: Runtime) -> None:
    """Make the next signing key in time."""
    async with runtime.database.transaction(PLATFORM) as session:
        await emit(session, *await make_keys(session, runtime.vault, datetime.now(UTC)))
    runtime.committed()


@service.every(SECONDS)
async def forget_what_is_over(runtime: Runtime) -> None:
    """Drop old sessions with their tokens, logins that nobody ended, and counts of failures a day back."""
    now = datetime.now(UTC)
    async with runtime.database.transaction(PLATFORM) as session:
        over = (LoginSession.expires_at < now - KEPT) | (LoginSession.ended_at < now - KEPT)
        gone = select(LoginSession.session_id).where(over)
        await session.execute(delete(RefreshToken).where(RefreshToken.session_id.in_(gone)))
        await session.execute(delete(LoginSession).where(over))
        await session.execute(delete(OidcLogin).where(OidcLogin.expires_at < now))
        await forget_old_counters(session)
