"""One's own account."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select

from contracts.envelope import PLATFORM, Tenant
from contracts.people import PasswordChanged
from contracts.rest_people import DoneView, InvitationTokenBody, JoinedView, MembershipView, MeView, PasswordChangeBody
from services.chassis.errors import ExpectedFailure, Forbidden
from services.chassis.tenancy import enter
from services.gateway.access.attempts import checked_password, forgive
from services.gateway.access.emails import email_key
from services.gateway.access.entrance import Door, From
from services.gateway.access.grants import levels, places_of, scopes_in, user_id_of
from services.gateway.access.invitations import join, open_invitation
from services.gateway.access.password_resets import forget_reset
from services.gateway.access.password_rules import refusal
from services.gateway.access.people_tables import User
from services.gateway.access.person import Self
from services.gateway.access.sessions import end_sessions
from services.gateway.access.tables import Membership
from services.gateway.principal import Asker, named_tenant
from services.gateway.routes.access import Gateway, emit

router = APIRouter(tags=["signing in"])


@router.get("/me")
async def show_me(
    request: Request, who: Asker, gateway: Gateway, named: Annotated[Tenant | None, Depends(named_tenant)]
) -> MeView:
    """Who asks, its roles everywhere, and what it may do in the tenant of this request."""
    tenant = named or (who.home if who.home != PLATFORM else None) or request.app.state.default_tenant
    async with gateway.database.session() as session:
        scopes = await scopes_in(session, who, tenant)
        memberships = []
        if who.session_id is not None:
            for place in await places_of(session, user_id_of(who)):
                if who.home is not None and who.home not in levels(place):
                    continue
                await enter(session, place)
                own = select(Membership).where(Membership.user_id == user_id_of(who)).order_by(Membership.role)
                memberships += [MembershipView.model_validate(row) for row in await session.scalars(own)]
    return MeView(
        subject=who.subject,
        name=who.name,
        user_id=user_id_of(who) if who.session_id is not None else None,
        email=who.name if who.session_id is not None else None,
        session_id=who.session_id,
        memberships=memberships,
        scopes=sorted(scopes),
    )


@router.post("/me/password")
async def change_password(body: PasswordChangeBody, me: Self, door: Door, visitor: From) -> DoneView:
    """Set another password. All other sessions end."""
    new = body.new_password.get_secret_value()
    check_new_password(new, me.email)
    await checked_password(door, me.email, body.current_password.get_secret_value(), visitor.source)
    hashed = await door.hashing.hash(new)
    async with door.runtime.database.transaction(PLATFORM) as session:
        await forgive(session, me.email, visitor.source)
        user = (await session.scalars(select(User).where(User.user_id == me.user_id).with_for_update())).one()
        user.password_hash = hashed
        await session.flush()
        await forget_reset(session, me.user_id)
        await emit(session, PasswordChanged(tenant=PLATFORM, user_id=me.user_id))
        ended = await end_sessions(session, me.user_id, "password_changed", but=me.session_id)
    door.committed()
    return DoneView(sessions_ended=len(ended))


@router.post("/me/invitations")
async def accept_as_me(body: InvitationTokenBody, me: Self, door: Door) -> JoinedView:
    """Accept an invitation to another tenant with the account that one has."""
    async with door.runtime.database.session() as session:
        tenant, invitation = await open_invitation(session, body.token.get_secret_value())
        if email_key(invitation.email) != email_key(me.email):
            raise Forbidden("invitation_for_another", f"This invitation is for another address than {me.email}.")
        joined = await join(session, tenant, invitation, me.user_id, me.email, new_account=False)
    door.committed()
    return joined


def check_new_password(password: str, *about: str) -> None:
    """Raise the failure that says why this is no good password."""
    reason = refusal(password, about=about)
    if reason is not None:
        raise ExpectedFailure("weak_password", f"This password is refused. {reason}")
