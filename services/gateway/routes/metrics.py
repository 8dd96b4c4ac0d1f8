"""`GET /metrics` for Prometheus: with a key of the platform's, for it names the ids of engagements."""

from fastapi import APIRouter, Request, Response

from services.chassis.metrics import CONTENT_TYPE, exposition
from services.gateway.principal import Operator
from services.gateway.read_model.flow_counters import COUNTERS

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def show_metrics(request: Request, operator: Operator) -> Response:
    """The metrics of the services of this process; Prometheus sends the key as `Authorization: Bearer …`."""
    return Response(await exposition(request.app.state.measured, [COUNTERS]), media_type=CONTENT_TYPE)
