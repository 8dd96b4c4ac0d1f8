"""What becomes of API keys when who made them may do less than before.

A key with a person's role acts for that person, so it ends with what the person may do, as a personal access token does
elsewhere. A key of a service account belongs to the tenant and goes on: it is listed as made by somebody who left.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.access import ROLE_SCOPES, Scope
from contracts.api_keys import ApiKeyRevoked
from contracts.envelope import PLATFORM, Tenant
from services.chassis.errors import Forbidden
from services.chassis.tenancy import enter
from services.gateway.access.grants import levels, roles_in
from services.gateway.access.keys import counts
from services.gateway.access.people_tables import User
from services.gateway.access.tables import ApiKey, ApiKeyPlace, Membership
from services.gateway.principal import Principal
from services.gateway.routes.access import emit


@dataclass(frozen=True)
class KeysLeft:
    """How many keys of a person ended, and how many go on without anybody who has business there."""

    revoked: int = 0
    kept: int = 0


def ends(role: str, scopes: Collection[str], left: frozenset[Scope]) -> bool:
    """Whether a key ends whose maker has only these scopes `left` in its tenant."""
    return role != "service_account" and not (set(scopes) & ROLE_SCOPES[role]) <= left  # type: ignore[index]  # checked when it was made


async def revoke_beyond(session: AsyncSession, caller: Principal, user_id: UUID) -> KeysLeft:
    """Revoke what a person's keys can do beyond the person, in the caller's tenant and below; leaves the session there.

    To be called when the person's row is locked and has lost what it loses.
    """
    await enter(session, PLATFORM)
    active = await _is_active(session, user_id)
    rows = await session.scalars(select(ApiKeyPlace).where(ApiKeyPlace.user_id == user_id).order_by(ApiKeyPlace.key_id))
    by_tenant: dict[Tenant, list[str]] = {}
    for row in rows:
        tenant = Tenant(client_account_id=row.of_client_account_id, engagement_id=row.of_engagement_id)
        if caller.tenant in levels(tenant):
            by_tenant.setdefault(tenant, []).append(row.key_id)
    now, revoked, kept = datetime.now(UTC), 0, 0
    for tenant, key_ids in by_tenant.items():
        left = await _scopes(session, user_id, tenant) if active else frozenset()
        await enter(session, tenant)
        statement = select(ApiKey).where(ApiKey.key_id.in_(key_ids)).order_by(ApiKey.key_id).with_for_update()
        for key in (await session.scalars(statement)).all():
            if not counts(key, now):
                continue
            if not ends(key.role, key.scopes, left):
                kept += not left
                continue
            key.revoked_at, key.revoked_by_name = now, caller.name
            revoked += 1
            told = ApiKeyRevoked(
                tenant=tenant,
                key_id=key.key_id,
                name=key.name,
                revoked_by=caller.subject,
                revoked_by_name=caller.name,
                reason="maker_lost_access",
            )
            await emit(session, told)
        await session.flush()
    await enter(session, caller.tenant)
    return KeysLeft(revoked, kept)


async def behind(session: AsyncSession, caller: Principal) -> UUID | None:
    """The person behind a caller who makes a key, locked so that nobody shuts it out meanwhile; None: the settings.

    Raises `Forbidden` for a caller who lost what it had a moment ago. Leaves the session in the caller's tenant.
    """
    kind, _, name = caller.subject.partition(":")
    await enter(session, PLATFORM)
    place = None
    if kind == "key":
        place = await session.scalar(select(ApiKeyPlace).where(ApiKeyPlace.key_id == name))
    user_id = UUID(name) if kind == "user" else None if place is None else place.user_id
    if user_id is not None:
        active = await _is_active(session, user_id, share=True)
        left = await _scopes(session, user_id, caller.tenant) if active and kind == "user" else caller.scopes
        if not active or not caller.scopes <= left:
            raise Forbidden("missing_scope", "You lost a role here a moment ago. Ask again with what you still have.")
    if place is not None:
        await enter(session, Tenant(client_account_id=place.of_client_account_id, engagement_id=place.of_engagement_id))
        key = (await session.scalars(select(ApiKey).where(ApiKey.key_id == name))).one()
        if not counts(key, datetime.now(UTC)):
            raise Forbidden("missing_scope", f"Your key {name} ended a moment ago.")
    await enter(session, caller.tenant)
    return user_id


async def made_by_who_left(session: AsyncSession, tenant: Tenant, key_ids: Iterable[str]) -> set[str]:
    """Which of these keys of a tenant go back to a person without business there; leaves the session in the tenant."""
    await enter(session, PLATFORM)
    statement = select(ApiKeyPlace.key_id, ApiKeyPlace.user_id).where(
        ApiKeyPlace.key_id.in_(list(key_ids)), ApiKeyPlace.user_id.is_not(None)
    )
    people = {row.key_id: row.user_id for row in await session.execute(statement)}
    here: set[UUID] = set()
    for level in levels(tenant):
        await enter(session, level)
        here.update(
            await session.scalars(select(Membership.user_id).where(Membership.user_id.in_(set(people.values()))))
        )
    await enter(session, PLATFORM)
    here = set(await session.scalars(select(User.user_id).where(User.user_id.in_(here), User.status == "active")))
    await enter(session, tenant)
    return {key_id for key_id, user_id in people.items() if user_id not in here}


async def _is_active(session: AsyncSession, user_id: UUID, *, share: bool = False) -> bool:
    statement = select(User.user_id).where(User.user_id == user_id, User.status == "active")
    return await session.scalar(statement.with_for_update(read=True) if share else statement) is not None


async def _scopes(session: AsyncSession, user_id: UUID, tenant: Tenant) -> frozenset[Scope]:
    roles = await roles_in(session, user_id, tenant)
    return frozenset[Scope]().union(*(ROLE_SCOPES[role] for role in roles))
