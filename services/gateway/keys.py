"""Who asks: an API key, and the tenant that the request works in."""

import hashlib
import secrets
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Tenant
from services.chassis.errors import BadRequest, NotFound, Unauthorized
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.tenancy import enter
from services.gateway.tables import ApiKey, Engagement

KEY_BYTES = 32
_HEADER = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    description="The API key; X-Client-Account-Id and X-Engagement-Id name the tenant",
)


class Principal(BaseModel):
    """A caller and the tenant it works in."""

    name: str
    tenant: Tenant


def digest(key: str) -> str:
    """What is stored of a key: it is random, so a plain digest cannot be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()


def bootstrap_key(settings: Settings) -> str:
    """The first key: from the settings, else one that is made once and kept in the data directory."""
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    path: Path = settings.data_dir / "api_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(f"modernize_{secrets.token_urlsafe(KEY_BYTES)}")
    return path.read_text().strip()


async def remember_bootstrap_key(runtime: Runtime) -> None:
    """Let the bootstrap key in."""
    row = {"digest": digest(bootstrap_key(runtime.settings)), "name": "operator"}
    async with runtime.database.transaction(PLATFORM) as session:
        await session.execute(insert(ApiKey).values(row).on_conflict_do_nothing())


async def key_name(session: AsyncSession, key: str | None) -> str | None:
    """Whose key it is, or None; leaves the session in the platform's tenant."""
    await enter(session, PLATFORM)
    statement = select(ApiKey.name).where(ApiKey.digest == digest(key or ""))
    return (await session.execute(statement)).scalar_one_or_none()


async def engagement_exists(session: AsyncSession, tenant: Tenant) -> bool:
    """Whether there is such a tenant; leaves the session in it."""
    await enter(session, tenant)
    return (await session.execute(select(Engagement.client_name))).first() is not None


def named_tenant(
    client_account_id: Annotated[
        str | None, Header(alias="X-Client-Account-Id", description="The tenant's client account; a UUID")
    ] = None,
    engagement_id: Annotated[
        str | None, Header(alias="X-Engagement-Id", description="The tenant's engagement; a UUID")
    ] = None,
) -> Tenant | None:
    """The tenant that the request names, None if it names none; raises `BadRequest` for half a tenant."""
    names = {"client_account_id": client_account_id, "engagement_id": engagement_id}
    if not any(names.values()):
        return None
    try:
        return Tenant.model_validate(names)
    except ValidationError as error:
        raise BadRequest(
            "bad_tenant", "X-Client-Account-Id and X-Engagement-Id must both be set, each to a UUID."
        ) from error


async def operator(request: Request, key: Annotated[str | None, Security(_HEADER)]) -> str:
    """The name of the key's owner; raises `Unauthorized`."""
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.session() as session:
        name = await key_name(session, key)
    if name is None:
        raise Unauthorized("unknown_api_key", "Send a valid API key in the header X-API-Key.")
    return name


async def principal(
    request: Request,
    name: Annotated[str, Depends(operator)],
    named: Annotated[Tenant | None, Depends(named_tenant)],
) -> Principal:
    """The caller in its tenant, by default the one that every installation begins with; raises `NotFound`."""
    runtime: Runtime = request.app.state.runtime
    tenant = named or request.app.state.default_tenant
    if tenant != PLATFORM:
        async with runtime.database.session() as session:
            if not await engagement_exists(session, tenant):
                raise NotFound(
                    "engagement_not_found", "There is no such engagement. POST /api/v1/engagements makes one."
                )
    return Principal(name=name, tenant=tenant)


Caller = Annotated[Principal, Depends(principal)]
Operator = Annotated[str, Depends(operator)]
