"""Tenants: client accounts and their engagements."""

from uuid import uuid4

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from contracts import rest
from contracts.envelope import PLATFORM, Tenant
from services.chassis.tenancy import enter
from services.gateway.access.grants import account
from services.gateway.idempotency import IdempotencyKey, Once
from services.gateway.principal import Asker, authorised
from services.gateway.routes.access import Gateway, Reading
from services.gateway.tables import Engagement

router = APIRouter(tags=["engagements"])


@router.post("/engagements", status_code=201)
async def create_engagement(
    request: Request, body: rest.EngagementCreate, who: Asker, gateway: Gateway, key: IdempotencyKey = None
) -> rest.EngagementView:
    """Make an engagement to work in: of a client account, which takes a role there, or of a new client account."""
    client = PLATFORM if body.client_account_id is None else account(body.client_account_id)
    once = Once(request, gateway, await authorised(request, who, client), key)
    tenant = Tenant(client_account_id=body.client_account_id or uuid4(), engagement_id=uuid4())
    async with once.transaction() as session:
        if client == PLATFORM:
            await enter(session, account(tenant.client_account_id))
            await session.execute(insert(Engagement).values(client_name=body.client_name, engagement_name=""))
        await enter(session, tenant)
        row = {"client_name": body.client_name, "engagement_name": body.engagement_name}
        await session.execute(insert(Engagement).values(row))
        return once.keep(rest.EngagementView(**tenant.model_dump(), **row))


@router.get("/engagements/current")
async def show_engagement(session: Reading) -> rest.EngagementView:
    """The tenant that this request works in; a client account as a whole has no `engagement_name`."""
    row = (await session.execute(select(Engagement))).scalar_one()
    return rest.EngagementView.model_validate(row)
