"""A client for URLs of tenants that may also call servers on loopback."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis.name_lookup import Resolver
from services.chassis.outbound import Outbound
from services.chassis.settings import Settings

LOOPBACK = "http://127.0.0.1:*"


@asynccontextmanager
async def outbound(
    allowed: str = LOOPBACK, resolve: Resolver | None = None, verify: ssl.SSLContext | bool = True
) -> AsyncIterator[Outbound]:
    client = Outbound(Settings(outbound_allowed=allowed), resolve, verify)
    try:
        yield client
    finally:
        await client.close()
