"""Invitations: who has the token may join a tenant, with a new account or with the one of that address."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.access import Role
from contracts.envelope import PLATFORM, Tenant, uuid7
from contracts.people import RoleGranted, UserInvited, UserJoined
from contracts.rest_people import InvitationBody, InvitationMade, JoinedView
from services.chassis.errors import Conflict, NotFound
from services.chassis.tenancy import enter
from services.gateway.access.emails import email_key
from services.gateway.access.grants import grant
from services.gateway.access.opaque_tokens import digest, new_tenant_token, tenant_of
from services.gateway.access.people_tables import Invitation, User
from services.gateway.principal import Principal
from services.gateway.routes.access import emit
from services.gateway.tables import TENANT


async def invite(session: AsyncSession, caller: Principal, body: InvitationBody) -> InvitationMade:
    """Make an invitation to the caller's tenant. Its token is in the answer and nowhere else."""
    token, now = new_tenant_token("invitation", caller.tenant), datetime.now(UTC)
    row = Invitation(
        invitation_id=uuid7(),
        token_digest=digest(token),
        email=body.email.strip(),
        role=body.role,
        status="open",
        invited_by=caller.name,
        created_at=now,
        expires_at=now + timedelta(days=body.days),
    )
    session.add(row)
    told = UserInvited(
        tenant=caller.tenant,
        invitation_id=row.invitation_id,
        email=row.email,
        role=body.role,
        invited_by=caller.name,
        expires_at=row.expires_at,
    )
    await emit(session, told)
    return InvitationMade.model_validate({**vars(row), "token": token})


async def open_invitation(session: AsyncSession, token: str) -> tuple[Tenant, Invitation]:
    """The invitation of a token, locked, and its tenant, in which the session is then.

    Raises `NotFound` for one that never was, that was used, withdrawn, or is too old.
    """
    tenant = tenant_of(token)
    if tenant is not None:
        await enter(session, tenant)
        row = await session.scalar(select(Invitation).where(Invitation.token_digest == digest(token)).with_for_update())
        if row is not None and row.status == "open" and datetime.now(UTC) < row.expires_at:
            return tenant, row
    raise NotFound(
        "invitation_not_found",
        "This invitation was used, was withdrawn, is too old, or never was. Ask who invited you for another.",
    )


async def user_of_email(session: AsyncSession, email: str) -> User | None:
    """The account of an address; leaves the session in the platform's tenant."""
    await enter(session, PLATFORM)
    user: User | None = await session.scalar(select(User).where(User.email_key == email_key(email)))
    return user


async def new_user(session: AsyncSession, email: str, name: str | None, password_hash: str | None) -> User:
    """A new account; raises `Conflict` if the address has one. Leaves the session in the platform's tenant."""
    await enter(session, PLATFORM)
    row = {
        "user_id": uuid7(),
        "email": email.strip(),
        "email_key": email_key(email),
        "name": name or email.partition("@")[0],
        "password_hash": password_hash,
    }
    made = insert(User).values(row).on_conflict_do_nothing(index_elements=[*TENANT, "email_key"]).returning(User)
    user = await session.scalar(made)
    if user is None:
        raise account_exists()
    return user


async def join(
    session: AsyncSession, tenant: Tenant, invitation: Invitation, user_id: UUID, by: str, *, new_account: bool
) -> JoinedView:
    """Use an invitation up for a person; leaves the session in its tenant."""
    await enter(session, tenant)
    invitation.status = "accepted"
    await session.flush()
    role: Role = invitation.role  # type: ignore[assignment]  # a role when it was made
    granted = await grant(session, tenant, user_id, role, by)
    joined = UserJoined(
        tenant=tenant,
        user_id=user_id,
        email=invitation.email,
        new_account=new_account,
        invitation_id=invitation.invitation_id,
    )
    await emit(session, joined)
    if granted:
        told = RoleGranted(tenant=tenant, user_id=user_id, role=role, granted_by=invitation.invited_by)
        await emit(session, told)
    return JoinedView(
        user_id=user_id,
        email=invitation.email,
        client_account_id=tenant.client_account_id,
        engagement_id=tenant.engagement_id,
        role=role,
    )


def account_exists() -> Conflict:
    """What somebody with an account is told who wants to make another."""
    return Conflict(
        "account_exists",
        "This address has an account. Sign in, then accept the invitation with POST /api/v1/me/invitations.",
    )
