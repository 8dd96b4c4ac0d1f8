"""The same services, one process each, on a real broker and database, under one supervisor."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import httpx2
from pydantic import SecretStr

from services.chassis.settings import Settings
from services.cli.infrastructure import infrastructure
from services.cli.platform_commands import announce, stop_signal
from services.cli.preparation import prepare
from services.cli.private_nodes import free_port
from services.cli.service_list import SERVICE_NAMES, declared_services
from services.cli.serving import reserve
from services.cli.supervision import service_child, supervised
from services.cli.terminal import err

LOOK_SECONDS = 0.3


async def run_distributed(settings: Settings, *, as_json: bool) -> None:
    """Run until this process is told to stop."""
    stop = stop_signal()
    # The gateway is a child; that its port is free is found out before anything is started.
    with contextlib.closing(reserve(settings.host, settings.port)) as listener:
        gateway_port = listener.getsockname()[1]
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with infrastructure(settings, _say) as complete:
        _say("Preparing the database and the broker's queues …")
        await prepare(complete, declared_services())
        ports = {name: gateway_port if name == "gateway" else free_port() for name in SERVICE_NAMES}
        children = [service_child(name, _environment(complete, port), _say) for name, port in ports.items()]
        async with supervised(children):
            ready = asyncio.create_task(_all_ready(ports.values(), settings.host))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                await ready
                url = f"http://{_reachable(settings.host)}:{gateway_port}"
                announce(url, settings, as_json=as_json, processes={child.name: child.pid for child in children})
                await stopped
            ready.cancel()
            _say("Stopping …")


def _environment(settings: Settings, port: int) -> dict[str, str]:
    """What the children are told: where everything is, and each its own port."""
    told: dict[str, Any] = {
        **settings.model_dump(exclude={"admin_database_url"}, exclude_none=True),
        "data_dir": settings.data_dir.absolute(),
        "blob_url": settings.blob_store_url,
        "port": port,
    }
    revealed = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in told.items()
    }
    # An empty variable counts as not set, and keeps the superuser's address away from the services.
    return {f"MODERNIZE_{name.upper()}": str(value) for name, value in revealed.items()} | {
        "MODERNIZE_ADMIN_DATABASE_URL": ""
    }


async def _all_ready(ports: Iterable[int], host: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        for port in ports:
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    answer = await client.get(f"http://{_reachable(host)}:{port}/health/ready")
                    if answer.is_success:
                        break
                await asyncio.sleep(LOOK_SECONDS)


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # nosec B104 # binds nothing


def _say(line: str) -> None:
    err.print(line, markup=False, soft_wrap=True)
