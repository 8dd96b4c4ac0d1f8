"""All five services in this process, with a REST client and a look behind the scenes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from pydantic import SecretStr
from sqlalchemy import text

from contracts.envelope import Tenant
from services.chassis.bus.transport import Transport
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually
from services.gateway.app import DEFAULT_TENANT, create_api, welcome
from tests.e2e.rest import RestClient

API_KEY = "modernize_e2e_key"  # pragma: allowlist secret


@dataclass
class Platform:
    """The running platform: its client, and its services by name."""

    client: RestClient
    runtimes: dict[str, Runtime]
    settings: Settings

    async def rows(self, service: str, query: str, tenant: Tenant = DEFAULT_TENANT) -> list[Any]:
        """What a query gives in one service's schema, as that service sees it in a tenant."""
        async with self.runtimes[service].database.transaction(tenant) as session:
            return list((await session.execute(text(query))).mappings().all())

    async def unfinished(self) -> dict[str, int]:
        """How many rows wait in outboxes and work tables, where there are any."""
        waiting = {}
        for name, runtime in self.runtimes.items():
            async with runtime.database.dispatch() as connection:
                for table in ("outbox", "work"):
                    count = (await connection.execute(text(f"select count(*) from {name}.{table}"))).scalar_one()
                    if count:
                        waiting[f"{name}.{table}"] = count
        return waiting

    async def undelivered(self) -> dict[str, int]:
        """How many of the events that the audit log has each other service has yet to take, where there are any."""
        logged = {
            row["event_type"]: row["count"]
            for row in await self.rows("audit", "select event_type, count(*) from audit.entries group by event_type")
        }
        missing = {}
        for name in self.runtimes.keys() - {"audit"}:
            (row,) = await self.rows(name, f"select count(*) from {name}.inbox")
            heard = sum(logged.get(event.type_name, 0) for event in self.runtimes[name].service.heard())
            if heard > row["count"]:
                missing[name] = heard - row["count"]
        return missing

    async def settled(self, seconds: float = 30) -> None:
        """Return once nothing waits in any outbox or work table, and a broker has delivered what it was given."""
        calm = 0

        async def quiet() -> bool:
            nonlocal calm
            waiting = await self.unfinished()
            if self.settings.rabbitmq_url and not waiting:
                waiting = await self.undelivered()
            # A message may be on its way to everybody for a moment, but not three times in a row.
            calm = 0 if waiting else calm + 1
            return calm >= 3

        await eventually(quiet, seconds)


@asynccontextmanager
async def a_platform(
    services: Sequence[Service], settings: Settings, transport_of: Callable[[Service], Transport]
) -> AsyncIterator[Platform]:
    """Run the services until the block ends."""
    settings = settings.model_copy(update={"api_key": SecretStr(API_KEY)})
    runtimes = {service.name: Runtime(service, settings, transport_of(service)) for service in services}
    gateway = runtimes["gateway"]
    await welcome(gateway)
    app = create_api(gateway)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    try:
        for runtime in runtimes.values():
            await runtime.listen()
        for runtime in runtimes.values():
            await runtime.start()
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield Platform(RestClient(http, {"x-api-key": API_KEY}), runtimes, settings)
    finally:
        await asyncio.gather(*(runtime.stop() for runtime in runtimes.values()))
