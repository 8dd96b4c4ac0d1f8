"""`modernize up`, `modernize service` and `modernize migrate`: what runs the platform."""

import asyncio
import signal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.command import command
from services.cli.service_list import ServiceName
from services.cli.terminal import err, out, print_json, program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.chassis.settings import Settings


class Topology(StrEnum):
    """How the platform runs."""

    embedded = "embedded"
    distributed = "distributed"


@command
def up(
    topology: Annotated[Topology, typer.Argument(help="embedded: one process; distributed: one process a service.")] = (
        Topology.embedded
    ),
    as_json: bool = False,
) -> None:
    """Run the platform until Ctrl-C."""
    import uvloop

    from services.chassis.logs import configure_logs
    from services.cli.rest_client import read_settings

    settings = read_settings()
    configure_logs(settings)
    if topology is Topology.distributed:
        from services.cli.distributed import run_distributed

        asyncio.run(run_distributed(settings, as_json=as_json))
    else:
        uvloop.run(_run_embedded(settings, as_json=as_json))


@command
def service(
    name: Annotated[ServiceName, typer.Argument(help="The service to run.")],
    stop_with_parent: Annotated[
        bool, typer.Option(help="Stop when standard input ends, as it does when the process that started this dies.")
    ] = False,
    as_json: bool = False,
) -> None:
    """Run one service in this process until it is told to stop."""
    import uvloop

    from services.chassis.logs import bound, configure_logs
    from services.cli.rest_client import read_settings
    from services.cli.service_process import run_service

    settings = read_settings()
    configure_logs(settings)
    with bound(service=name):
        uvloop.run(run_service(name, settings, as_json=as_json, stop_with_parent=stop_with_parent))


@command
def migrate(as_json: bool = False) -> None:
    """Bring database and broker to what the services expect; safe to run again."""
    from services.chassis.logs import configure_logs
    from services.cli.preparation import prepare
    from services.cli.rest_client import read_settings
    from services.cli.service_list import declared_services

    settings = read_settings()
    configure_logs(settings)
    services = declared_services()
    queues = asyncio.run(prepare(settings, services))
    names = [service.name for service in services]
    if as_json:
        print_json({"migrated": names, "queues_declared": queues})
        return
    broker = f"; {queues} queues are declared on the broker" if queues else ""
    out.print(f"[green]✓[/] The database is ready for {', '.join(names)}{broker}.")


async def _run_embedded(settings: "Settings", *, as_json: bool) -> None:
    stop = stop_signal()
    with err.status("Starting the platform …") as status:
        from services.cli.embedded import embedded_platform

        async with embedded_platform(settings) as platform:
            status.stop()
            announce(platform.url, settings, as_json=as_json)
            await stop.wait()
            err.print("Stopping …")


def stop_signal() -> asyncio.Event:
    """An event that is set when this process is told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def announce(
    url: str, settings: "Settings", *, as_json: bool, processes: "Mapping[str, int | None] | None" = None
) -> None:
    """Say where the platform answers, where its key lies, and which processes of services there are."""
    from services.cli.rest_client import api_key_file

    key_file = None if settings.api_key else str(api_key_file(settings))
    if as_json:
        print_json({"url": url, "docs": f"{url}/docs", "api_key_file": key_file, "processes": dict(processes or {})})
        return
    key = f"in {key_file}" if key_file else "the one in MODERNIZE_API_KEY"
    out.print(f"[green]✓[/] The platform is ready on [bold]{url}[/].", soft_wrap=True)
    out.print(f"  REST documentation  {url}/docs", soft_wrap=True)
    out.print(f"  API key             {key} (header X-API-Key)", soft_wrap=True)
    if processes:
        listed = ", ".join(f"{name} {pid}" for name, pid in processes.items())
        out.print(f"  Processes           {listed}", soft_wrap=True)
    out.print(f"  Try                 {program()} import FILE --watch", soft_wrap=True)
    out.print("  Stop                Ctrl-C")
