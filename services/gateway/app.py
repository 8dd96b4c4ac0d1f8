"""The gateway: REST in front, the read model behind, and the door for events of other systems."""

from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from fastapi import APIRouter
from fastapi.routing import APIRoute
from sqlalchemy.dialects.postgresql import insert
from starlette.routing import BaseRoute

from contracts import rest
from contracts.envelope import Tenant
from services.chassis.health import health_routes
from services.chassis.remembered import Remembered
from services.chassis.runtime import Runtime
from services.chassis.tenancy import enter
from services.gateway import blob_keys, metrics
from services.gateway.access import upkeep
from services.gateway.access.access_tokens import AccessTokens
from services.gateway.access.bootstrap_key import remember_bootstrap_key
from services.gateway.access.entrance import Entrance
from services.gateway.access.grants import account
from services.gateway.access.refusals import Refusals, tell_refusal
from services.gateway.agents import costs as model_costs
from services.gateway.agents import handlers as agent_handlers
from services.gateway.agents import metrics as agent_metrics
from services.gateway.agents import retention as agent_retention
from services.gateway.agents.watch import AgentWatch
from services.gateway.api import PROBLEM_RESPONSES, Api
from services.gateway.flows import admission
from services.gateway.handlers import service
from services.gateway.idempotency import install_replays
from services.gateway.problems import install_problem_details
from services.gateway.read_model import (
    asset_handlers,
    audit_handlers,
    encryption_handlers,
    flow_handlers,
    learning_handlers,
    memory_handlers,
    projections,
    quality_handlers,
    retention,
)
from services.gateway.routes import (
    agent_monitor,
    agent_schedules,
    agent_tasks,
    agents,
    approvals,
    assets,
    audit,
    configuration,
    costs,
    encryption,
    engagements,
    fields,
    flow_control,
    flow_search,
    flows,
    imports,
    inventory,
    invitations,
    keys,
    learnings,
    lessons,
    limits,
    login_providers,
    me,
    memories,
    oidc,
    operations,
    password_resets,
    performance,
    quality,
    readiness,
    reports,
    saved_mappings,
    schedules,
    sessions,
    signing_keys,
    users,
    webhooks,
)
from services.gateway.routes import metrics as metrics_route
from services.gateway.routes.access import SENT_BY_ROUTES
from services.gateway.tables import Engagement
from services.gateway.webhooks import handlers as webhook_handlers

__all__ = [
    "DEFAULT_TENANT",
    "SENT_BY_ROUTES",
    "admission",
    "agent_handlers",
    "agent_metrics",
    "agent_retention",
    "asset_handlers",
    "audit_handlers",
    "blob_keys",
    "create_api",
    "encryption_handlers",
    "flow_handlers",
    "learning_handlers",
    "memory_handlers",
    "metrics",
    "model_costs",
    "projections",
    "quality_handlers",
    "retention",
    "service",
    "upkeep",
    "webhook_handlers",
    "welcome",
]

# The tenant of requests that name none: what a single consultant works in.
DEFAULT_TENANT = Tenant(
    client_account_id=uuid5(NAMESPACE_URL, "urn:ai-modernize:client:default"),
    engagement_id=uuid5(NAMESPACE_URL, "urn:ai-modernize:engagement:default"),
)
JSON_BODY_BYTES = 1024**2
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": rest.ProblemDetails, "description": description}
    for status, description in PROBLEM_RESPONSES.items()
}


def _unique_id(route: APIRoute) -> str:
    return route.name


async def welcome(runtime: Runtime) -> None:
    """Make what an empty installation needs: the bootstrap key, a signing key and the default engagement."""
    await remember_bootstrap_key(runtime)
    await upkeep.look_after_keys(runtime)
    async with runtime.database.session() as session:
        for tenant, name in ((account(DEFAULT_TENANT.client_account_id), ""), (DEFAULT_TENANT, "Default engagement")):
            await enter(session, tenant)
            row = {"client_name": "Default client", "engagement_name": name}
            await session.execute(insert(Engagement).values(row).on_conflict_do_nothing())


def create_api(runtime: Runtime) -> Api:
    """The REST interface of a running gateway."""
    app = Api(
        title="AI Modernize",
        summary="From a messy inventory export to an approved, explained, wave-by-wave cloud migration plan",
        version="1",
        max_body_size=JSON_BODY_BYTES,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        generate_unique_id_function=_unique_id,
        telemetry=runtime.telemetry.for_fastapi(),
        responses=PROBLEMS,
    )
    app.state.runtime = runtime
    app.state.default_tenant = DEFAULT_TENANT
    app.state.remembered = Remembered()
    app.state.agent_watch = AgentWatch(runtime)
    app.state.refusals = Refusals()
    app.state.tokens = AccessTokens(runtime.vault)
    app.state.entrance = Entrance(runtime, app.state.tokens, app.state.remembered)
    install_problem_details(app, tell_refusal)
    install_replays(app)
    app.state.measured = [runtime]
    app.include_router(health_routes(runtime))
    app.router.routes.extend(_routes())
    return app


@cache
def _routes() -> list[BaseRoute]:
    """The routes that need no runtime, once a process: FastAPI takes a third of a second to build them."""
    router = APIRouter(max_body_size=JSON_BODY_BYTES, generate_unique_id_function=_unique_id, responses=PROBLEMS)
    router.include_router(metrics_route.router)
    for module in (
        # Routes are tried in this order: what everybody polls comes first, behind only the names that it would take.
        *(
            flow_search,
            flows,
            flow_control,
            engagements,
            imports,
            schedules,
            approvals,
            inventory,
            assets,
            quality,
            readiness,
            reports,
        ),
        *(fields, saved_mappings, learnings, lessons),
        *(agents, agent_tasks, agent_schedules, agent_monitor, memories, costs),
        *(performance, limits, configuration, webhooks, encryption, operations, keys, audit),
        *(sessions, oidc, me, invitations, users, password_resets, login_providers, signing_keys),
    ):
        router.include_router(module.router, prefix="/api/v1")
    router.include_router(agent_monitor.sockets)
    router.include_router(oidc.well_known)
    return router.routes
