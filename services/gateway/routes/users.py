"""People of a tenant and their roles there; in the platform's tenant all accounts."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.access import Role
from contracts.envelope import PLATFORM
from contracts.people import RoleGranted, RoleRevoked, UserDeactivated, UserReactivated
from contracts.rest_people import UserShutOut, UserView
from services.chassis.errors import Conflict, Forbidden, NotFound
from services.chassis.tenancy import enter
from services.gateway.access.entrance import Door
from services.gateway.access.grants import grant, withdraw
from services.gateway.access.key_owners import KeysLeft, revoke_beyond
from services.gateway.access.people_tables import User
from services.gateway.access.role_rules import refusal
from services.gateway.access.sessions import end_sessions
from services.gateway.access.tables import Membership
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.routes.access import Reading, emit

router = APIRouter(tags=["people"])


@router.get("/users")
async def list_users(session: Reading, page: Page, caller: Caller) -> rest.Page[UserView]:
    """People with a role that was given in this tenant; in the platform's tenant everybody."""
    if caller.tenant == PLATFORM:
        found, cursor = await page.fetch(session, select(User), User.user_id)
        users: Sequence[User] = found
    else:
        members = select(Membership).ext(distinct_on(Membership.user_id))
        rows, cursor = await page.fetch(session, members, Membership.user_id)
        users = await _accounts(session, [row.user_id for row in rows])
        await enter(session, caller.tenant)
    return rest.Page(items=await _views(session, users), next_cursor=cursor)


@router.get("/users/{user_id}")
async def show_user(user_id: UUID, session: Reading, caller: Caller) -> UserView:
    """A person of this tenant."""
    return await _member(session, caller, user_id)


@router.put("/users/{user_id}/roles/{role}")
async def give_role(user_id: UUID, role: Role, caller: Caller, door: Door) -> UserView:
    """Give a person of this tenant another role here; only who has all its scopes can.

    People come into a tenant by an invitation; in the platform's tenant a role can be given to any account.
    """
    _check(role, caller)
    async with door.runtime.database.transaction(caller.tenant) as session:
        await _member(session, caller, user_id, lock=True)
        if await grant(session, caller.tenant, user_id, role, caller.subject):
            told = RoleGranted(tenant=caller.tenant, user_id=user_id, role=role, granted_by=caller.name)
            await emit(session, told)
        view = await _member(session, caller, user_id)
    door.committed()
    return view


@router.delete("/users/{user_id}/roles/{role}")
async def take_role(user_id: UUID, role: Role, caller: Caller, door: Door) -> UserShutOut:
    """Take a role from a person; only who has all its scopes can. Without a role it has no business here.

    API keys with a person's role that it made are revoked where they can do more than it may now.
    """
    _check(role, caller)
    async with door.runtime.database.transaction(caller.tenant) as session:
        view = await _member(session, caller, user_id, lock=True)
        if role not in view.roles:
            raise NotFound("role_not_found", f"This person has no role {role} that was given in this tenant.")
        await _take(session, caller, user_id, [role])
        left = {**view.model_dump(), "roles": [each for each in view.roles if each != role]}
        keys = await revoke_beyond(session, caller, user_id)
    door.committed()
    return _shut_out(left, keys)


@router.post("/users/{user_id}/deactivate")
async def deactivate_user(user_id: UUID, caller: Caller, door: Door, once: Creating) -> UserShutOut:
    """Shut a person out: of this tenant, by taking all roles given here; in the platform's tenant the whole account.

    An account that is deactivated signs in nowhere, and its sessions end. API keys with a person's role that it made
    are revoked where it has no business any more; keys of service accounts go on.
    """
    _not_oneself(user_id, caller)
    async with once.transaction() as session:
        view = await _member(session, caller, user_id, lock=True)
        for role in view.roles:
            _check(role, caller)
        if caller.tenant == PLATFORM:
            await _set_status(session, user_id, "deactivated")
            await end_sessions(session, user_id, "user_deactivated")
            left = {**view.model_dump(), "status": "deactivated"}
        else:
            await _take(session, caller, user_id, view.roles)
            left = {**view.model_dump(), "roles": []}
        told = UserDeactivated(tenant=caller.tenant, user_id=user_id, deactivated_by=caller.name)
        await emit(session, told)
        shut_out = once.keep(_shut_out(left, await revoke_beyond(session, caller, user_id)))
    door.committed()
    return shut_out


@router.post("/users/{user_id}/reactivate")
async def reactivate_user(user_id: UUID, caller: Caller, door: Door, once: Creating) -> UserView:
    """Let an account sign in again, with the roles that it had; in the platform's tenant only."""
    if caller.tenant != PLATFORM:
        raise Conflict("not_an_account", "Accounts are the platform's: here, invite the person again instead.")
    async with once.transaction() as session:
        view = await _member(session, caller, user_id, lock=True)
        if view.status == "active":
            raise Conflict("is_active", "This account is active.")
        await _set_status(session, user_id, "active")
        await emit(session, UserReactivated(tenant=PLATFORM, user_id=user_id, reactivated_by=caller.name))
        view = once.keep(view.model_copy(update={"status": "active"}))
    door.committed()
    return view


def _shut_out(user: dict[str, Any], keys: KeysLeft) -> UserShutOut:
    return UserShutOut(**user, keys_revoked=keys.revoked, keys_kept=keys.kept)


def _check(role: Role, caller: Principal) -> None:
    reason = refusal(role, caller.tenant, caller.scopes)
    if reason is not None:
        raise Forbidden("role_not_yours_to_give", reason)


def _not_oneself(user_id: UUID, caller: Principal) -> None:
    if caller.subject == f"user:{user_id}":
        raise Conflict("oneself", "This is your own account. Somebody else has to shut you out.")


async def _take(session: AsyncSession, caller: Principal, user_id: UUID, roles: Iterable[Role]) -> None:
    for role in roles:
        await withdraw(session, caller.tenant, user_id, role)
        told = RoleRevoked(tenant=caller.tenant, user_id=user_id, role=role, revoked_by=caller.name)
        await emit(session, told)


async def _set_status(session: AsyncSession, user_id: UUID, status: str) -> None:
    user = (await session.scalars(select(User).where(User.user_id == user_id))).one()
    user.status = status
    await session.flush()


async def _member(session: AsyncSession, caller: Principal, user_id: UUID, *, lock: bool = False) -> UserView:
    """A person of the caller's tenant, in which the session is before and after; raises `NotFound`."""
    roles = select(Membership.role).where(Membership.user_id == user_id)
    member = caller.tenant == PLATFORM or (await session.scalars(roles.limit(1))).first() is not None
    users = await _accounts(session, [user_id], lock=lock) if member else []
    await enter(session, caller.tenant)
    if not users:
        raise NotFound("user_not_found", f"There is no person {user_id} with a role that was given in this tenant.")
    return (await _views(session, users))[0]


async def _accounts(session: AsyncSession, user_ids: list[UUID], *, lock: bool = False) -> Sequence[User]:
    """Accounts in the order of their ids; leaves the session in the platform's tenant."""
    await enter(session, PLATFORM)
    statement = select(User).where(User.user_id.in_(user_ids)).order_by(User.user_id)
    return (await session.scalars(statement.with_for_update() if lock else statement)).all()


async def _views(session: AsyncSession, users: Sequence[User]) -> list[UserView]:
    """People with the roles of the tenant that the session is in."""
    of_them = Membership.user_id.in_([user.user_id for user in users])
    roles: dict[UUID, list[str]] = {user.user_id: [] for user in users}
    for row in await session.scalars(select(Membership).where(of_them).order_by(Membership.role)):
        roles[row.user_id].append(row.role)
    return [UserView.model_validate({**vars(user), "roles": roles[user.user_id]}) for user in users]
