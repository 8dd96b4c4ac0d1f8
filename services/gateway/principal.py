"""Who asks, in which tenant, and what it may do there."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Header, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from contracts.access import Scope
from contracts.envelope import PLATFORM, Tenant
from services.chassis.errors import BadRequest, Forbidden, NoBusiness, Unauthorized
from services.chassis.remembered import Remembered
from services.chassis.runtime import Runtime
from services.chassis.tenancy import enter
from services.gateway.access.access_tokens import AccessTokens, looks_like_token
from services.gateway.access.grants import scopes_in
from services.gateway.access.identity import Identity
from services.gateway.access.keys import holder_of_key
from services.gateway.request_limits import caller_limit, count, stranger_limit, tenant_limit
from services.gateway.route_scopes import ROUTE_SCOPES
from services.gateway.tables import Engagement

_API_KEY = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    description="The API key; X-Client-Account-Id and X-Engagement-Id name the tenant",
)
_BEARER = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    description="An access token of POST /api/v1/auth/login; systems may send their API key so, too",
)


class Principal(BaseModel):
    """A caller, the tenant it works in, and what it may do there."""

    model_config = ConfigDict(frozen=True)

    subject: str
    name: str
    tenant: Tenant
    scopes: frozenset[Scope]


async def named_tenant(
    client_account_id: Annotated[
        str | None, Header(alias="X-Client-Account-Id", description="The tenant's client account; a UUID")
    ] = None,
    engagement_id: Annotated[
        str | None,
        Header(
            alias="X-Engagement-Id",
            description="The tenant's engagement; a UUID, of which the nil UUID is the client account itself",
        ),
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


async def engagement_exists(session: AsyncSession, tenant: Tenant) -> bool:
    """Whether there is such a tenant; leaves the session in it."""
    await enter(session, tenant)
    return (await session.execute(select(Engagement.client_name))).first() is not None


async def identity(
    request: HTTPConnection,
    key: Annotated[str | None, Security(_API_KEY)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Identity:
    """Who asks; raises `Unauthorized`."""
    runtime: Runtime = request.app.state.runtime
    tokens: AccessTokens = request.app.state.tokens
    credential = key if key is not None else bearer.credentials if bearer is not None else ""
    is_token = looks_like_token(credential)

    async def find() -> Identity | None:
        async with runtime.database.session() as session:
            if is_token:
                return await tokens.holder(session, credential)
            return await holder_of_key(session, runtime, credential)

    digest = hashlib.sha256(credential.encode()).digest()
    found = await (await known(request)).get(digest, find) if credential else None
    if found is None or (found.valid_until is not None and found.valid_until <= datetime.now(UTC)):
        await count(request, stranger_limit(request.client.host if request.client else "unknown"))
        if is_token:
            detail = "This access token is not good, or not any more. Refresh the session, or sign in again."
            raise Unauthorized("bad_access_token", detail)
        raise Unauthorized("unknown_api_key", "Send a valid API key in the header X-API-Key.")
    await count(request, await caller_limit(runtime, found.home or PLATFORM, found.subject))
    request.state.identity = found
    return found


async def principal(
    request: HTTPConnection,
    who: Annotated[Identity, Depends(identity)],
    named: Annotated[Tenant | None, Depends(named_tenant)],
) -> Principal:
    """The caller in the tenant that it names, else its own, else the one that every installation begins with."""
    own = who.home if who.home != PLATFORM else None
    found = await authorised(request, who, named or own or request.app.state.default_tenant)
    # Only now: somebody else must not use up what this tenant may send.
    await count(request, await tenant_limit(request.app.state.runtime, found.tenant))
    return found


async def authorised(request: HTTPConnection, who: Identity, tenant: Tenant) -> Principal:
    """A caller in a tenant.

    Raises `NoBusiness` where it has none, so that nobody learns who is a client here, and `Forbidden` where what
    it asks for takes a scope that it lacks.
    """
    runtime: Runtime = request.app.state.runtime

    async def find() -> Principal | None:
        async with runtime.database.session() as session:
            scopes = await scopes_in(session, who, tenant)
            if not scopes or (tenant != PLATFORM and not await engagement_exists(session, tenant)):
                return None
        return Principal(subject=who.subject, name=who.name, tenant=tenant, scopes=scopes)

    found = await (await known(request)).get((who.subject, who.home, who.scopes, tenant), find)
    if found is None and tenant == PLATFORM:
        raise Forbidden("missing_scope", "This concerns the platform as a whole, where you have no role.")
    if found is None:
        raise NoBusiness("engagement_not_found", "There is no such engagement. POST /api/v1/engagements makes one.")
    request.state.tenant = tenant
    wanted = ROUTE_SCOPES[request.scope["route"].name]
    if wanted is not None and wanted not in found.scopes:
        raise Forbidden("missing_scope", f"This takes the scope {wanted}, which no role of yours in this tenant has.")
    return found


async def operator(request: HTTPConnection, who: Annotated[Identity, Depends(identity)]) -> Principal:
    """The caller of what concerns the platform as a whole; raises `Forbidden`."""
    return await authorised(request, who, PLATFORM)


async def known(request: HTTPConnection) -> Remembered:
    """What this process remembers of callers; `forget` it after a commit that changed what somebody may do."""
    remembered: Remembered = request.app.state.remembered
    return remembered


Known = Annotated[Remembered, Depends(known)]
Caller = Annotated[Principal, Depends(principal)]
Operator = Annotated[Principal, Depends(operator)]
Asker = Annotated[Identity, Depends(identity)]
