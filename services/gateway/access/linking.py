"""Which account a proof of an OpenID provider signs in, and when it may make or take over one.

A provider knows its people by their subject; an address counts only the first time, and only if the provider says that
it is verified. A provider that an operator let vouch for a domain is the authority for its addresses. Any other one
may bring new people with an invitation, but takes over no account that is there: whoever runs it could name any
address. For the same reason its sessions count in its own client account alone.
"""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM
from contracts.people import IdentityLinked, UserJoined
from services.chassis.tenancy import enter
from services.gateway.access.emails import domain_of, email_key
from services.gateway.access.id_tokens import Proof, UntrustedToken
from services.gateway.access.invitations import join, new_user, open_invitation, user_of_email
from services.gateway.access.oidc_logins import Provider
from services.gateway.access.people_tables import IdentityLink, User
from services.gateway.access.sessions import end_sessions
from services.gateway.routes.access import emit


def vouches(provider: Provider, email: str) -> bool:
    """Whether the provider is the authority for this address."""
    return domain_of(email) in provider.allowed_domains


async def person_of(
    session: AsyncSession, provider: Provider, proof: Proof, invitation_token: str | None
) -> tuple[User, list[UUID]]:
    """Whose account it is, and the sessions that ended because it was taken over.

    Raises `UntrustedToken`, or `NotFound` for an invitation that is good for nothing.
    """
    user, ended = await _linked(session, provider, proof), list[UUID]()
    known = user is not None or (proof.email is not None and await user_of_email(session, proof.email) is not None)
    if user is None:
        user, ended = await _newly_linked(session, provider, proof, invited=invitation_token is not None)
    if user.status != "active":
        raise UntrustedToken("the account is deactivated")
    if invitation_token is not None:
        tenant, invitation = await open_invitation(session, invitation_token)
        if email_key(invitation.email) != user.email_key:
            raise UntrustedToken("the invitation is for another address")
        if provider.tenant.client_account_id not in (PLATFORM.client_account_id, tenant.client_account_id):
            raise UntrustedToken("the provider lets nobody into that client account")
        await join(session, tenant, invitation, user.user_id, user.email, new_account=not known)
    await enter(session, PLATFORM)
    return user, ended


async def _linked(session: AsyncSession, provider: Provider, proof: Proof) -> User | None:
    await enter(session, PLATFORM)
    statement = select(User).where(
        User.user_id == IdentityLink.user_id,
        IdentityLink.provider_id == provider.provider_id,
        IdentityLink.provider_subject == proof.subject,
    )
    user: User | None = await session.scalar(statement)
    return user


async def _newly_linked(
    session: AsyncSession, provider: Provider, proof: Proof, *, invited: bool
) -> tuple[User, list[UUID]]:
    if proof.email is None or not proof.email_verified:
        raise UntrustedToken("the provider does not say that the address is verified")
    authority, ended = vouches(provider, proof.email), list[UUID]()
    user = await user_of_email(session, proof.email)
    if user is None:
        if not invited and not authority:
            raise UntrustedToken("nobody invited this address")
        user = await new_user(session, proof.email, proof.name, None)
        if not invited:
            joined = UserJoined(tenant=PLATFORM, user_id=user.user_id, email=user.email, new_account=True)
            await emit(session, joined)
    elif not authority:
        raise UntrustedToken("the address has an account, and the provider does not vouch for it")
    else:
        # Who made this account, before the authority spoke, may have been anybody (Sudhodanan and Paverd, 2022,
        # "Pre-hijacked accounts"): from now on only the authority lets people into it.
        user.password_hash = None
        await session.execute(delete(IdentityLink).where(IdentityLink.user_id == user.user_id))
        ended = await end_sessions(session, user.user_id, "identity_linked")
    session.add(IdentityLink(provider_id=provider.provider_id, provider_subject=proof.subject, user_id=user.user_id))
    await session.flush()
    await emit(session, IdentityLinked(tenant=PLATFORM, user_id=user.user_id, provider_id=provider.provider_id))
    return user, ended
