"""API keys: made, listed, rotated and revoked in the tenant in which they count."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Body
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.access import ROLE_SCOPES
from contracts.api_keys import ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated
from contracts.rest_keys import ApiKeyBody, ApiKeyMade, ApiKeyRotation, ApiKeyView
from services.chassis.errors import Conflict, ExpectedFailure, Forbidden, NotFound
from services.gateway.access.bootstrap_key import KEY_ID as BOOTSTRAP
from services.gateway.access.key_owners import behind, made_by_who_left
from services.gateway.access.keys import counts, make_key
from services.gateway.access.tables import ApiKey
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Known, Principal
from services.gateway.routes.access import Gateway, Reading, emit

router = APIRouter(prefix="/keys", tags=["keys"])


@router.post("", status_code=201)
async def create_key(body: ApiKeyBody, caller: Caller, gateway: Gateway, once: Creating) -> ApiKeyMade:
    """Make a key. The answer has it this once; it can do no more than the caller can.

    A key with a person's role ends when who made it may not do any more what the key can; one of a service account is
    the tenant's, and goes on.
    """
    scopes = sorted(ROLE_SCOPES[body.role] & caller.scopes if body.scopes is None else body.scopes)
    if beyond := set(scopes) - ROLE_SCOPES[body.role]:
        raise ExpectedFailure(
            "scopes_beyond_role", f"The role {body.role} never has {', '.join(sorted(beyond))}. Choose another role."
        )
    if beyond := set(scopes) - caller.scopes:
        raise Forbidden(
            "scopes_beyond_own",
            f"You lack {', '.join(sorted(beyond))} here, so no key of yours can have them. Name fewer `scopes`.",
        )
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        raise ExpectedFailure("expired_already", "The key would end before it begins. Set `expires_at` in the future.")
    async with once.transaction() as session:
        values = {"name": body.name, "role": body.role, "scopes": scopes, "expires_at": body.expires_at}
        return once.keep(await _made(session, gateway, caller, await behind(session, caller), values))


@router.get("")
async def list_keys(session: Reading, page: Page, caller: Caller) -> rest.Page[ApiKeyView]:
    """The keys of this tenant, those that ended included; not those of the levels above and below."""
    rows, cursor = await page.fetch(session, select(ApiKey), ApiKey.key_id)
    left = await made_by_who_left(session, caller.tenant, [row.key_id for row in rows])
    return rest.Page(items=[_view(row, left) for row in rows], next_cursor=cursor)


@router.get("/{key_id}")
async def show_key(key_id: str, session: Reading, caller: Caller) -> ApiKeyView:
    """One key, and when it was last used."""
    key = await _key(session, key_id)
    return _view(key, await made_by_who_left(session, caller.tenant, [key_id]))


@router.post("/{key_id}/rotate", status_code=201)
async def rotate_key(
    key_id: str,
    caller: Caller,
    gateway: Gateway,
    once: Creating,
    known: Known,
    body: ApiKeyRotation = Body(ApiKeyRotation()),  # noqa: B008 - FastAPI reads the default, and it is never changed
) -> ApiKeyMade:
    """Make a key that can do the same, and let the old one end after the overlap."""
    now = datetime.now(UTC)
    async with once.transaction() as session:
        # The person before the key, as who shuts people out does.
        user_id = await behind(session, caller)
        old = await _key(session, key_id, lock=True)
        if key_id == BOOTSTRAP:
            raise Conflict(
                "bootstrap_key", "This key stands in the settings: make another, then revoke this one or change it."
            )
        if not counts(old, now) or old.replaced_by is not None:
            raise Conflict("key_ended", f"The key {key_id} was revoked, rotated or ended before. Make a new one.")
        if beyond := set(old.scopes) - caller.scopes:
            raise Forbidden("scopes_beyond_own", f"The key can do what you cannot: {', '.join(sorted(beyond))}.")
        # One that was to end keeps its length of life.
        life = None if old.expires_at is None else now + (old.expires_at - old.created_at)
        values = {"name": old.name, "role": old.role, "scopes": old.scopes, "expires_at": life}
        made = once.keep(await _made(session, gateway, caller, user_id, values))
        ends_at = now + timedelta(hours=body.overlap_hours)
        old.expires_at = min(ends_at, old.expires_at or ends_at)
        old.replaced_by = made.key_id
        await emit(
            session,
            ApiKeyRotated(
                tenant=caller.tenant,
                key_id=key_id,
                new_key_id=made.key_id,
                ends_at=old.expires_at,
                rotated_by=caller.subject,
                rotated_by_name=caller.name,
            ),
        )
    known.forget()
    return made


@router.delete("/{key_id}")
async def revoke_key(key_id: str, caller: Caller, gateway: Gateway, known: Known) -> ApiKeyView:
    """End a key at once; other processes of the gateway follow within five seconds."""
    async with gateway.database.transaction(caller.tenant) as session:
        key = await _key(session, key_id, lock=True)
        if key.revoked_at is not None:
            raise Conflict("key_revoked", f"The key {key_id} was revoked by {key.revoked_by_name} before.")
        if key_id == BOOTSTRAP and caller.subject == f"key:{BOOTSTRAP}":
            raise Conflict(
                "last_key", "The bootstrap key does not revoke itself: do it with the key that takes its place."
            )
        key.revoked_at, key.revoked_by_name = datetime.now(UTC), caller.name
        await emit(
            session,
            ApiKeyRevoked(
                tenant=caller.tenant,
                key_id=key_id,
                name=key.name,
                revoked_by=caller.subject,
                revoked_by_name=caller.name,
            ),
        )
        await session.flush()
        view = _view(key, await made_by_who_left(session, caller.tenant, [key_id]))
    gateway.committed()
    known.forget()
    return view


async def _made(
    session: AsyncSession, gateway: Gateway, caller: Principal, user_id: UUID | None, values: dict[str, Any]
) -> ApiKeyMade:
    made = {**values, "created_by": caller.subject, "created_by_name": caller.name}
    key, row = await make_key(session, gateway.vault, caller.tenant, user_id, made)
    view = ApiKeyView.model_validate(row)
    told = view.model_dump(include={"key_id", "name", "role", "scopes", "expires_at", "created_by_name"})
    await emit(session, ApiKeyCreated.model_validate({**told, "tenant": caller.tenant, "created_by": caller.subject}))
    return ApiKeyMade(**view.model_dump(), key=key)


def _view(key: ApiKey, made_by_who_left: set[str]) -> ApiKeyView:
    return ApiKeyView.model_validate({**vars(key), "maker_left": key.key_id in made_by_who_left})


async def _key(session: AsyncSession, key_id: str, *, lock: bool = False) -> ApiKey:
    statement = select(ApiKey).where(ApiKey.key_id == key_id)
    key = await session.scalar(statement.with_for_update() if lock else statement)
    if key is None:
        raise NotFound("key_not_found", f"There is no key {key_id} in this tenant.")
    return key
