"""What a container platform asks a service: is it alive, and may it get traffic?"""

import asyncio

import structlog
from fastapi import APIRouter, FastAPI, Response

from services.chassis.metrics import CONTENT_TYPE, exposition
from services.chassis.runtime import Runtime

log = structlog.get_logger()

READY_TIMEOUT_SECONDS = 5


def health_routes(runtime: Runtime) -> APIRouter:
    """`/health/live` says that the process answers, `/health/ready` that database and bus do too."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live")
    async def live() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "live"}

    @router.get("/ready", responses={503: {"description": "Database or bus cannot be used"}})
    async def ready(response: Response) -> dict[str, str]:
        """Whether database and bus can be used; `concerns` tells what to look after all the same."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_SECONDS):
                await runtime.ready()
                concerns = await runtime.concerns()
        except Exception:
            log.exception("not_ready", service=runtime.service.name)
            response.status_code = 503
            return {"status": "not_ready"}
        return {"status": "ready", **({"concerns": " ".join(concerns)} if concerns else {})}

    return router


def health_app(runtime: Runtime) -> FastAPI:
    """The whole HTTP interface of a service that people do not talk to."""
    app = FastAPI(title=runtime.service.name, openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(health_routes(runtime))

    @app.get("/metrics")
    async def metrics() -> Response:
        """Outbox and work of this service, for Prometheus; like the rest of this port, for the inside of a cluster."""
        return Response(await exposition([runtime]), media_type=CONTENT_TYPE)

    return app
