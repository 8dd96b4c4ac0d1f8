"""OpenID providers that people sign in with: the operators set them up, for the platform or for a client account."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Tenant, uuid7
from contracts.people import LoginProviderDeleted, LoginProviderSaved
from contracts.rest_people import DoneView, LoginProviderBody, LoginProvidersView, LoginProviderView
from services.chassis.errors import NotFound
from services.chassis.runtime import Runtime
from services.chassis.tenancy import enter
from services.gateway.access.entrance import Door
from services.gateway.access.grants import account
from services.gateway.access.oidc_logins import SECRET_PURPOSE
from services.gateway.access.people_tables import IdentityLink, LoginProvider
from services.gateway.idempotency import Creating
from services.gateway.principal import Operator, Principal
from services.gateway.routes.access import Gateway, emit

router = APIRouter(tags=["people"])


@router.post("/login-providers", status_code=201)
async def create_login_provider(
    body: LoginProviderBody, caller: Operator, gateway: Gateway, once: Creating, client_account_id: UUID | None = None
) -> LoginProviderView:
    """Set an OpenID provider up. Whom it vouches for needs no invitation, so check that the domain is its own."""
    async with once.transaction() as session:
        return once.keep(await _save(session, gateway, caller, _owner(client_account_id), uuid7(), body))


@router.get("/login-providers")
async def list_login_providers(
    _: Operator, gateway: Gateway, client_account_id: UUID | None = None
) -> LoginProvidersView:
    """The OpenID providers of the platform, or of a client account."""
    async with gateway.database.transaction(_owner(client_account_id)) as session:
        rows = await session.scalars(select(LoginProvider).order_by(LoginProvider.provider_id))
        return LoginProvidersView(items=[_view(row) for row in rows])


@router.put("/login-providers/{provider_id}")
async def replace_login_provider(
    provider_id: UUID,
    body: LoginProviderBody,
    caller: Operator,
    gateway: Gateway,
    client_account_id: UUID | None = None,
) -> LoginProviderView:
    """Change an OpenID provider. Without a secret it keeps the one that it has."""
    tenant = _owner(client_account_id)
    async with gateway.database.transaction(tenant) as session:
        await _existing(session, provider_id)
        view = await _save(session, gateway, caller, tenant, provider_id, body)
    gateway.committed()
    return view


@router.delete("/login-providers/{provider_id}")
async def delete_login_provider(
    provider_id: UUID, caller: Operator, door: Door, client_account_id: UUID | None = None
) -> DoneView:
    """Let nobody in by this provider any more. Sessions that are there go on until they end."""
    tenant = _owner(client_account_id)
    async with door.runtime.database.transaction(tenant) as session:
        row = await _existing(session, provider_id)
        await session.delete(row)
        await session.flush()
        told = LoginProviderDeleted(tenant=tenant, provider_id=provider_id, deleted_by=caller.name)
        await emit(session, told)
        await enter(session, PLATFORM)
        await session.execute(delete(IdentityLink).where(IdentityLink.provider_id == provider_id))
    door.committed()
    return DoneView()


def _owner(client_account_id: UUID | None) -> Tenant:
    return PLATFORM if client_account_id is None else account(client_account_id)


async def _existing(session: AsyncSession, provider_id: UUID) -> LoginProvider:
    row = await session.scalar(select(LoginProvider).where(LoginProvider.provider_id == provider_id).with_for_update())
    if row is None:
        raise NotFound("provider_not_found", f"There is no login provider {provider_id} here.")
    return row


async def _save(
    session: AsyncSession,
    gateway: Runtime,
    caller: Principal,
    tenant: Tenant,
    provider_id: UUID,
    body: LoginProviderBody,
) -> LoginProviderView:
    row = {
        **body.model_dump(exclude={"client_secret"}),
        "provider_id": provider_id,
        "saved_by": caller.name,
        "saved_at": datetime.now(UTC),
    }
    if body.client_secret is not None:
        secret = body.client_secret.get_secret_value().encode()
        row["sealed_secret"] = gateway.vault.seal(tenant, SECRET_PURPOSE, provider_id, secret)
    await enter(session, tenant)
    key = ["client_account_id", "engagement_id", "provider_id"]
    statement = insert(LoginProvider).values(row).on_conflict_do_update(index_elements=key, set_=row)
    saved = (
        await session.scalars(statement.returning(LoginProvider), execution_options={"populate_existing": True})
    ).one()
    told = LoginProviderSaved(
        tenant=tenant,
        provider_id=provider_id,
        **body.model_dump(include={"name", "issuer", "client_id", "allowed_domains"}),
        saved_by=caller.name,
    )
    await emit(session, told)
    return _view(saved)


def _view(row: LoginProvider) -> LoginProviderView:
    return LoginProviderView.model_validate({**vars(row), "has_secret": row.sealed_secret is not None})
