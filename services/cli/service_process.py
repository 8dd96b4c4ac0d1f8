"""One service in a process of its own: its runtime, its HTTP interface, and patience with what is still starting."""

import asyncio
import contextlib
import os
import sys

from fastapi import FastAPI

from services.chassis.errors import ExpectedFailure
from services.chassis.health import health_app
from services.chassis.runtime import Runtime, transport_for
from services.chassis.settings import Settings
from services.cli.patience import announced, until_it_answers
from services.cli.platform_commands import stop_signal
from services.cli.service_list import declared_service
from services.cli.serving import address_of, reserve, serving
from services.cli.terminal import CommandFailed, out, print_json


async def run_service(name: str, settings: Settings, *, as_json: bool, stop_with_parent: bool) -> None:
    """Run a service until this process is told to stop; it answers health checks from the start."""
    for variable, value in (
        ("MODERNIZE_DATABASE_URL", settings.database_url),
        ("MODERNIZE_RABBITMQ_URL", settings.rabbitmq_url),
    ):
        if value is None:
            raise CommandFailed(
                f"{variable} is not set, and a service on its own shares its database and broker with the others. "
                "Set it; or run all services at once with `modernize up`.",
                code="missing_setting",
            )
    stop = stop_signal()
    if stop_with_parent:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_end_of_input, stop)
    with contextlib.closing(reserve(settings.host, settings.port)) as listener:
        runtime = Runtime(declared_service(name), settings, transport_for(settings))
        async with serving(_http_interface(runtime), listener):
            ready = asyncio.create_task(_start(runtime))
            stopped = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if ready.done():
                    await ready
                    _say_ready(name, address_of(listener), as_json=as_json)
                    await stopped
            finally:
                for task in (ready, stopped):
                    task.cancel()
                await asyncio.gather(ready, stopped, return_exceptions=True)
                await runtime.stop()


def _http_interface(runtime: Runtime) -> FastAPI:
    if runtime.service.name != "gateway":
        return health_app(runtime)
    from services.gateway.app import create_api

    return create_api(runtime)


async def _start(runtime: Runtime) -> None:
    advice = "If it runs: has `modernize migrate` made this service's role and tables, with the same password?"
    # Any error may pass: until the migration job has run, the service's role does not exist.
    await until_it_answers("the database", runtime.database.ping, lambda error: True, advice)
    try:
        await announced(runtime.start(), "the message broker")
    except ExpectedFailure as error:
        raise CommandFailed(error.problem.detail, code=error.problem.code) from error
    if runtime.service.name == "gateway":
        from services.gateway.app import welcome

        await until_it_answers("the gateway's tables", lambda: welcome(runtime), lambda error: True, advice)


def _say_ready(name: str, url: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"service": name, "url": url})
    else:
        out.print(f"[green]✓[/] {name} is ready on {url}.", soft_wrap=True)


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
