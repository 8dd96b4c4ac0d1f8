"""Invitations to a tenant."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from contracts import rest
from contracts.people import InvitationWithdrawn
from contracts.rest_people import (
    AcceptBody,
    InvitationBody,
    InvitationMade,
    InvitationStatus,
    InvitationView,
    JoinedView,
)
from services.chassis.errors import Conflict, Forbidden, NotFound
from services.gateway.access.entrance import COUNTED, Door
from services.gateway.access.invitations import account_exists, invite, join, new_user, open_invitation, user_of_email
from services.gateway.access.people_tables import Invitation
from services.gateway.access.role_rules import refusal
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.me import check_new_password

router = APIRouter(tags=["people"])


@router.post("/invitations", status_code=201)
async def create_invitation(body: InvitationBody, response: Response, caller: Caller, once: Creating) -> InvitationMade:
    """Invite somebody to this tenant. The token is told this once: hand it to that person, and to nobody else.

    A role can be given by who has all its scopes. Nobody is told whether the address has an account.
    """
    reason = refusal(body.role, caller.tenant, caller.scopes)
    if reason is not None:
        raise Forbidden("role_not_yours_to_give", reason)
    response.headers["Cache-Control"] = "no-store"
    async with once.transaction() as session:
        return once.keep(await invite(session, caller, body))


@router.get("/invitations")
async def list_invitations(
    session: Reading, page: Page, status: Annotated[InvitationStatus | None, Query()] = None
) -> rest.Page[InvitationView]:
    """Invitations to this tenant; one that is open may be too old."""
    statement = select(Invitation)
    if status is not None:
        statement = statement.where(Invitation.status == status)
    rows, cursor = await page.fetch(session, statement, Invitation.invitation_id)
    return rest.Page(items=[InvitationView.model_validate(row) for row in rows], next_cursor=cursor)


@router.delete("/invitations/{invitation_id}")
async def withdraw_invitation(invitation_id: UUID, caller: Caller, gateway: Gateway) -> InvitationView:
    """Take an invitation back that nobody accepted yet."""
    async with gateway.database.transaction(caller.tenant) as session:
        statement = select(Invitation).where(Invitation.invitation_id == invitation_id).with_for_update()
        row = await session.scalar(statement)
        if row is None:
            raise NotFound("invitation_not_found", f"There is no invitation {invitation_id} in this tenant.")
        if row.status != "open":
            raise Conflict("not_open", f"Only an open invitation can be taken back; this one was {row.status}.")
        row.status = "withdrawn"
        told = InvitationWithdrawn(tenant=caller.tenant, invitation_id=invitation_id, withdrawn_by=caller.name)
        await emit(session, told)
        view = InvitationView.model_validate(row)
    gateway.committed()
    return view


@router.post("/invitations/accept", status_code=201, dependencies=[COUNTED])
async def accept_invitation(body: AcceptBody, door: Door) -> JoinedView:
    """Accept an invitation with a new account. Who has one signs in and uses POST /me/invitations."""
    token, password = body.token.get_secret_value(), body.password.get_secret_value()
    database = door.runtime.database
    async with database.session() as session:
        _, invitation = await open_invitation(session, token)
        if await user_of_email(session, invitation.email) is not None:
            raise account_exists()
    check_new_password(password, invitation.email, body.name or "")
    hashed = await door.hashing.hash(password)
    async with database.session() as session:
        tenant, invitation = await open_invitation(session, token)
        user = await new_user(session, invitation.email, body.name, hashed)
        joined = await join(session, tenant, invitation, user.user_id, user.email, new_account=True)
    door.committed()
    return joined
