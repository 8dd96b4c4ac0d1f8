"""Another password for who forgot it, with a token that an operator made."""

from uuid import UUID

from fastapi import APIRouter, Body, Response

from contracts.envelope import PLATFORM
from contracts.people import PasswordChanged
from contracts.rest_people import DoneView, PasswordResetBody, PasswordResetMadeView, PasswordResetUse
from services.gateway.access.attempts import forgive
from services.gateway.access.entrance import COUNTED, Door, From
from services.gateway.access.password_resets import forget_reset, make_reset, resettable
from services.gateway.access.sessions import end_sessions
from services.gateway.idempotency import Creating
from services.gateway.principal import Operator
from services.gateway.routes.access import emit
from services.gateway.routes.me import check_new_password

router = APIRouter(tags=["people"])


@router.post("/users/{user_id}/password-reset", status_code=201)
async def make_password_reset(
    user_id: UUID,
    response: Response,
    caller: Operator,
    once: Creating,
    body: PasswordResetBody = Body(PasswordResetBody()),  # noqa: B008 - FastAPI reads the default, and it is never changed
) -> PasswordResetMadeView:
    """Let a person set another password. The token is told this once: hand it to that person, and to nobody else.

    Until it is used the old password counts; an account that somebody else got into is deactivated first.
    """
    response.headers["Cache-Control"] = "no-store"
    async with once.transaction() as session:
        return once.keep(await make_reset(session, caller, user_id, body.hours))


@router.post("/auth/password-reset", dependencies=[COUNTED])
async def reset_password(body: PasswordResetUse, door: Door, visitor: From) -> DoneView:
    """Set another password with the token of a reset. It counts once, and all sessions of the account end."""
    token, new = body.token.get_secret_value(), body.new_password.get_secret_value()
    database = door.runtime.database
    async with database.transaction(PLATFORM) as session:
        user = await resettable(session, token)
    check_new_password(new, user.email, user.name)
    hashed = await door.hashing.hash(new)
    async with database.transaction(PLATFORM) as session:
        user = await resettable(session, token)
        user.password_hash = hashed
        await session.flush()
        await forget_reset(session, user.user_id)
        await forgive(session, user.email, visitor.source)
        await emit(session, PasswordChanged(tenant=PLATFORM, user_id=user.user_id, by_reset=True))
        ended = await end_sessions(session, user.user_id, "password_changed")
    door.committed()
    return DoneView(sessions_ended=len(ended))
