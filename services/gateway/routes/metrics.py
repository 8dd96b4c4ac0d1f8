"""`GET /metrics` for Prometheus: with an operator's key, for it names the ids of engagements."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from services.chassis.errors import Unauthorized
from services.chassis.metrics import CONTENT_TYPE, exposition
from services.gateway.flow_counters import COUNTERS
from services.gateway.keys import key_name
from services.gateway.routes.access import Gateway

router = APIRouter(include_in_schema=False)

_BEARER = "bearer "


@router.get("/metrics")
async def show_metrics(
    request: Request,
    gateway: Gateway,
    x_api_key: Annotated[str | None, Header()] = None,
    authorization: Annotated[str | None, Header()] = None,
) -> Response:
    """The metrics of the services of this process; Prometheus sends the key as `Authorization: Bearer …`."""
    key = x_api_key
    if authorization is not None and authorization.lower().startswith(_BEARER):
        key = authorization[len(_BEARER) :].strip()
    async with gateway.database.session() as session:
        if await key_name(session, key) is None:
            raise Unauthorized("unknown_api_key", "Send a valid API key as Authorization: Bearer, or in X-API-Key.")
    return Response(await exposition(request.app.state.measured, [COUNTERS]), media_type=CONTENT_TYPE)
