"""What somebody may do in a tenant: what was granted there, in its client account, or in the platform."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.access import ROLE_SCOPES, Role, Scope
from contracts.envelope import PLATFORM, Tenant
from services.chassis.tenancy import enter
from services.gateway.access.identity import Identity
from services.gateway.access.tables import Membership, MembershipPlace

NO_ENGAGEMENT = UUID(int=0)


def account(client_account_id: UUID) -> Tenant:
    """A client account as a whole; what is granted in it counts in all its engagements."""
    return Tenant(client_account_id=client_account_id, engagement_id=NO_ENGAGEMENT)


def levels(tenant: Tenant) -> list[Tenant]:
    """The tenants whose grants count in this one, the platform first."""
    return list(dict.fromkeys((PLATFORM, account(tenant.client_account_id), tenant)))


async def scopes_in(session: AsyncSession, identity: Identity, tenant: Tenant) -> frozenset[Scope]:
    """What a caller may do in a tenant; nothing where it has no business. Leaves the session in the tenant."""
    if identity.kind == "key":
        scopes = identity.scopes if identity.home in levels(tenant) else frozenset()
    elif identity.home is not None and identity.home not in levels(tenant):
        scopes = frozenset()
    else:
        found = await roles_in(session, user_id_of(identity), tenant)
        scopes = frozenset().union(*(ROLE_SCOPES[role] for role in found))
    await enter(session, tenant)
    return scopes


async def roles_in(session: AsyncSession, user_id: UUID, tenant: Tenant) -> set[Role]:
    """The roles of a person that count in a tenant. Leaves the session in the tenant."""
    roles: set[Role] = set()
    for level in levels(tenant):
        await enter(session, level)
        roles.update(await session.scalars(select(Membership.role).where(Membership.user_id == user_id)))
    return roles


async def grant(session: AsyncSession, tenant: Tenant, user_id: UUID, role: Role, by: str) -> bool:
    """Give a person a role; False if it had it. Leaves the session in the tenant."""
    await enter(session, PLATFORM)
    place = {"of_client_account_id": tenant.client_account_id, "of_engagement_id": tenant.engagement_id}
    await session.execute(insert(MembershipPlace).values(user_id=user_id, **place).on_conflict_do_nothing())
    await enter(session, tenant)
    row = {"user_id": user_id, "role": role, "granted_by": by}
    made = await session.execute(insert(Membership).values(row).on_conflict_do_nothing().returning(Membership.role))
    return made.first() is not None


async def withdraw(session: AsyncSession, tenant: Tenant, user_id: UUID, role: Role) -> bool:
    """Take a role from a person; False if it did not have it. Leaves the session in the tenant."""
    await enter(session, tenant)
    own = Membership.user_id == user_id
    gone = await session.execute(delete(Membership).where(own, Membership.role == role).returning(Membership.role))
    taken = gone.first() is not None
    if (await session.scalar(select(Membership.role).where(own).limit(1))) is None:
        await enter(session, PLATFORM)
        await session.execute(
            delete(MembershipPlace).where(
                MembershipPlace.user_id == user_id,
                MembershipPlace.of_client_account_id == tenant.client_account_id,
                MembershipPlace.of_engagement_id == tenant.engagement_id,
            )
        )
        await enter(session, tenant)
    return taken


async def places_of(session: AsyncSession, user_id: UUID) -> list[Tenant]:
    """The tenants in which a person has a role. Leaves the session in the platform's tenant."""
    await enter(session, PLATFORM)
    rows = await session.scalars(select(MembershipPlace).where(MembershipPlace.user_id == user_id))
    return [Tenant(client_account_id=row.of_client_account_id, engagement_id=row.of_engagement_id) for row in rows]


def user_id_of(identity: Identity) -> UUID:
    """The id of a person; its subject is `user:<id>`."""
    return UUID(identity.subject.removeprefix("user:"))
