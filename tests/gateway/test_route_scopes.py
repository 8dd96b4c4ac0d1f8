"""Every route says what it takes; the table has nothing else."""

from collections.abc import Callable, Iterator
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, get_args

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from contracts.access import ROLE_SCOPES, SCOPES, Role
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.gateway.app import create_api, service
from services.gateway.route_scopes import ROUTE_SCOPES


async def test_every_route_says_which_scope_it_takes(settings: Settings) -> None:
    document = create_api(Runtime(service, settings, InProcessBus())).openapi()
    names = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert names | {"show_metrics", "watch_agents", "watch_task"} == set(ROUTE_SCOPES)


def test_every_scope_guards_something_and_every_role_has_some() -> None:
    assert set(ROLE_SCOPES) == set(get_args(Role))
    assert all(scopes and scopes <= SCOPES for scopes in ROLE_SCOPES.values())


async def test_no_request_waits_for_a_thread_before_its_route(settings: Settings) -> None:
    """The framework runs what is no coroutine in a thread, which costs more than what our dependencies do there."""
    api = create_api(Runtime(service, settings, InProcessBus()))
    dependants = [getattr(route, "dependant", None) for route in iter_route_contexts(api.routes)]
    calls = {call for dependant in dependants if dependant is not None for call in _calls(dependant)}
    assert len(calls) > 10
    assert {call.__qualname__ for call in calls if not _is_async(call)} == set()


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for each in dependant.dependencies:
        assert each.call is not None
        yield each.call
        yield from _calls(each)


def _is_async(call: Callable[..., Any]) -> bool:
    method = getattr(call, "__call__", None)  # noqa: B004  instances of a class, as FastAPI's security schemes are
    return any(check(each) for check in (iscoroutinefunction, isasyncgenfunction) for each in (call, method))
