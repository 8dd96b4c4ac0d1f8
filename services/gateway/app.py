"""The gateway: REST in front, the read model behind, and the door for events of other systems."""

from uuid import NAMESPACE_URL, uuid5

from sqlalchemy.dialects.postgresql import insert

from contracts import rest
from contracts.envelope import Tenant
from services.chassis.health import health_routes
from services.chassis.runtime import Runtime
from services.gateway import (
    admission,
    asset_handlers,
    flow_handlers,
    learning_handlers,
    metrics,
    projections,
    quality_handlers,
    retention,
)
from services.gateway.api import PROBLEM_RESPONSES, Api
from services.gateway.handlers import service
from services.gateway.keys import remember_bootstrap_key
from services.gateway.problems import install_problem_details
from services.gateway.routes import (
    approvals,
    assets,
    fields,
    flow_control,
    flow_search,
    flows,
    imports,
    inventory,
    learnings,
    lessons,
    limits,
    operations,
    performance,
    quality,
    reports,
    saved_mappings,
    schedules,
)
from services.gateway.routes import metrics as metrics_route
from services.gateway.routes.access import SENT_BY_ROUTES
from services.gateway.tables import Engagement

__all__ = [
    "DEFAULT_TENANT",
    "SENT_BY_ROUTES",
    "admission",
    "asset_handlers",
    "create_api",
    "flow_handlers",
    "learning_handlers",
    "metrics",
    "projections",
    "quality_handlers",
    "retention",
    "service",
    "welcome",
]

# The tenant of requests that name none: what a single consultant works in.
DEFAULT_TENANT = Tenant(
    client_account_id=uuid5(NAMESPACE_URL, "urn:ai-modernize:client:default"),
    engagement_id=uuid5(NAMESPACE_URL, "urn:ai-modernize:engagement:default"),
)
JSON_BODY_BYTES = 1024**2


async def welcome(runtime: Runtime) -> None:
    """Make what an empty installation needs: the bootstrap key and the default engagement."""
    await remember_bootstrap_key(runtime)
    row = {"client_name": "Default client", "engagement_name": "Default engagement"}
    async with runtime.database.transaction(DEFAULT_TENANT) as session:
        await session.execute(insert(Engagement).values(row).on_conflict_do_nothing())


def create_api(runtime: Runtime) -> Api:
    """The REST interface of a running gateway."""
    app = Api(
        title="AI Modernize",
        summary="From a messy inventory export to an approved, explained, wave-by-wave cloud migration plan",
        version="1",
        max_body_size=JSON_BODY_BYTES,
        generate_unique_id_function=lambda route: route.name,
        telemetry=runtime.telemetry.for_fastapi(),
        responses={
            status: {"model": rest.ProblemDetails, "description": description}
            for status, description in PROBLEM_RESPONSES.items()
        },
    )
    app.state.runtime = runtime
    app.state.default_tenant = DEFAULT_TENANT
    install_problem_details(app)
    app.state.measured = [runtime]
    app.include_router(health_routes(runtime))
    app.include_router(metrics_route.router)
    for module in (
        *(imports, flow_search, flow_control, flows, schedules, approvals, inventory, assets, quality, reports),
        *(fields, saved_mappings, learnings, lessons),
        *(performance, limits, operations),
    ):
        app.include_router(module.router, prefix="/api/v1")
    return app
