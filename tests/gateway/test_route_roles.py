"""Every route, asked by every role in its own tenant, in another one, and by nobody: who may do what is as tabled."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest

from contracts.access import ROLE_SCOPES, Role, Scope
from contracts.envelope import PLATFORM, Tenant, uuid7
from services.gateway.access.grants import account
from services.gateway.app import create_api
from services.gateway.route_scopes import ROUTE_SCOPES
from tests.gateway.every_route import arguments, filled
from tests.gateway.platform import Platform

# Whoever adds a route that answers everybody says so here, too.
OPEN = {
    *("live", "ready", "show_signing_keys", "accept_invitation"),
    *("log_in", "refresh_session", "log_out", "begin_oidc_login", "finish_oidc_login", "reset_password"),
}
# What they are about is no tenant that the request names: a role in the platform is what they take.
OF_PLATFORM = {
    *("create_engagement", "show_metrics", "show_encryption", "rotate_encryption"),
    *("create_login_provider", "list_login_providers", "replace_login_provider", "delete_login_provider"),
    *("make_password_reset", "revoke_signing_keys"),
}
# What is set there by `every_route.py` has a scope of its own beside the route's.
ALSO_TAKES: dict[str, Scope] = {"set_configuration": "platform:write", "unset_configuration": "platform:write"}


def routes(platform: Platform) -> Iterator[tuple[str, str, str]]:
    """Name, method and path of every route that takes a scope."""
    yield "show_metrics", "GET", "/metrics"
    for path, operations in create_api(platform.runtime).openapi()["paths"].items():
        for method, operation in operations.items():
            if operation["operationId"] not in OPEN:
                yield operation["operationId"], method.upper(), path


def expected(role: Role, route: str, *, own: bool) -> str:
    """How a route answers a role: `refused`, `unknown` for a tenant in which it has no business, or `let in`."""
    wanted = {ROUTE_SCOPES[route], ALSO_TAKES.get(route, ROUTE_SCOPES[route])}
    everywhere = role == "platform_admin"
    if ROUTE_SCOPES[route] == "own":
        return "let in"
    if route in OF_PLATFORM:
        return "let in" if everywhere else "refused"
    if not own and not everywhere:
        return "unknown"
    return "let in" if wanted <= ROLE_SCOPES[role] else "refused"


def how(status: int, code: str | None) -> str:
    """What an answer says of whether its caller was let in."""
    if status == 401:
        return "stranger"
    if (status, code) == (403, "missing_scope"):
        return "refused"
    return "unknown" if (status, code) == (404, "engagement_not_found") else "let in" if status < 500 else "failed"


async def key_of(platform: Platform, role: Role, home: Tenant) -> str:
    """A key with all scopes of a role."""
    response = await platform.post("/keys", {"name": role, "role": role}, home)
    assert response.json()["scopes"] == sorted(ROLE_SCOPES[role]), response.text
    return str(response.json()["key"])


async def asked(platform: Platform, key: str | None, tenant: Tenant, method: str, path: str) -> str:
    """How a route answers who shows this key in this tenant."""
    below = path.removeprefix("/api/v1")
    url = path if path == "/metrics" else filled(below, uuid7())
    if key is None:
        platform.client.headers.pop("x-api-key", None)
    given: dict[str, Any] = arguments(method, below, uuid7())
    response = await platform.client.request(method, url, headers=platform.of(tenant, key), **given)
    problem = response.headers["content-type"] == "application/problem+json"
    return how(response.status_code, response.json()["code"] if problem else None)


def test_what_is_open_to_everybody_is_listed() -> None:
    assert {name for name, scope in ROUTE_SCOPES.items() if scope is None} == OPEN


@pytest.mark.parametrize("role", get_args(Role))
async def test_a_role_may_do_on_every_route_what_the_tables_say(platform: Platform, role: Role) -> None:
    own, other = await platform.new_tenant(), await platform.new_tenant()
    homes = {"platform_admin": PLATFORM, "client_admin": account(own.client_account_id)}
    key = await key_of(platform, role, homes.get(role, own))
    wrong = {}
    for route, method, path in sorted(routes(platform)):
        for tenant, name in ((own, "own tenant"), (other, "other tenant")):
            answer = await asked(platform, key, tenant, method, path)
            if answer != (wanted := expected(role, route, own=tenant == own)):
                wrong[route, name] = f"{answer}, not {wanted}"
    assert wrong == {}


async def test_nobody_is_let_in_anywhere(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    found = {route: await asked(platform, None, tenant, *place) for route, *place in routes(platform)}
    assert {route for route, answer in found.items() if answer != "stranger"} == set()
