"""Sign in, go on, sign out; and one's own sessions."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.envelope import PLATFORM
from contracts.rest_people import DoneView, LoginBody, RefreshBody, SessionsView, SessionView, TokensView
from services.chassis.errors import NotFound, Unauthorized
from services.gateway.access.access_tokens import family_of
from services.gateway.access.attempts import checked_password, forgive
from services.gateway.access.cookies import delivered, drop, presented_token
from services.gateway.access.entrance import COUNTED, Door, From
from services.gateway.access.person import Self
from services.gateway.access.sessions import begin_session, end_by_token, end_sessions, ends_at, go_on, live_sessions
from services.gateway.routes.access import Gateway

router = APIRouter(tags=["signing in"])


@router.post("/auth/login", dependencies=[COUNTED])
async def log_in(body: LoginBody, response: Response, door: Door, visitor: From) -> TokensView:
    """Sign in with a password. After failures an address has to wait, longer each time (429, `Retry-After`)."""
    user = await checked_password(door, body.email, body.password.get_secret_value(), visitor.source)
    async with door.runtime.database.transaction(PLATFORM) as session:
        await forgive(session, body.email, visitor.source)
        tokens = await begin_session(session, door.tokens, user.user_id, "password", visitor)
    door.runtime.committed()
    return delivered(response, tokens, body.delivery)


@router.post("/auth/refresh", dependencies=[COUNTED])
async def refresh_session(
    body: RefreshBody, request: Request, response: Response, door: Door, visitor: From
) -> TokensView:
    """Get the next tokens of a session.

    A refresh token is good once. When one comes a second time, somebody stole it, and the session ends for everybody.
    """
    token, delivery = presented_token(request, body)
    tokens = None
    if token is not None:
        async with door.runtime.database.transaction(PLATFORM) as session:
            tokens = await go_on(session, door.tokens, token, visitor)
        door.runtime.committed()
    if tokens is None:
        # Also where a session was ended because its token came twice.
        door.remembered.forget()
        raise Unauthorized("session_over", "This session is over, or the refresh token was used before. Sign in again.")
    return delivered(response, tokens, delivery)


@router.post("/auth/logout", dependencies=[COUNTED])
async def log_out(body: RefreshBody, request: Request, response: Response, door: Door) -> DoneView:
    """End the session of a refresh token. One that is good for nothing ends nothing, and that is no error."""
    token, delivery = presented_token(request, body)
    ended: list[UUID] = []
    if token is not None:
        async with door.runtime.database.transaction(PLATFORM) as session:
            ended = await end_by_token(session, token)
        door.committed()
    if delivery == "cookie":
        drop(response)
    return DoneView(sessions_ended=len(ended))


@router.post("/auth/logout-everywhere")
async def log_out_everywhere(me: Self, response: Response, door: Door) -> DoneView:
    """End all of one's own sessions, this one too. Their access tokens are good for nothing within five seconds."""
    async with door.runtime.database.transaction(PLATFORM) as session:
        ended = await end_sessions(session, me.user_id, "logged_out_everywhere")
    door.committed()
    drop(response)
    return DoneView(sessions_ended=len(ended))


@router.get("/me/sessions")
async def list_sessions(me: Self, gateway: Gateway) -> SessionsView:
    """One's own sessions that are alive."""
    async with gateway.database.transaction(PLATFORM) as session:
        rows = await live_sessions(session, me.user_id)
    return SessionsView(
        items=[
            SessionView.model_validate(
                {**vars(row), "ends_at": ends_at(family_of(row)), "current": row.session_id == me.session_id}
            )
            for row in rows
        ]
    )


@router.delete("/me/sessions/{session_id}")
async def end_session(session_id: UUID, me: Self, door: Door) -> DoneView:
    """End one of one's own sessions."""
    async with door.runtime.database.transaction(PLATFORM) as session:
        ended = await end_sessions(session, me.user_id, "ended_by_user", only=session_id)
    if not ended:
        raise NotFound("session_not_found", f"You have no session {session_id} that is alive.")
    door.committed()
    return DoneView(sessions_ended=len(ended))
