"""The peer of the gateway benchmark: a FastAPI route with one query and nothing around it.

    python -m deploy.bench.bare_route postgresql://host:port/migration

It prints its address once it answers, and serves until it is told to end.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import uvloop
from fastapi import Depends, FastAPI
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from contracts import rest
from services.chassis.database import connections_for
from services.chassis.settings import Settings
from services.cli.serving import address_of, reserve, serving
from services.gateway.flows.details import flow_detail


def bare_app(address: str, pool_size: int) -> FastAPI:
    """One route; it asks as the database's owner, so that no row-level security is in its way."""
    engine = create_async_engine(
        make_url(address).set(drivername="postgresql+asyncpg", username="postgres"),
        # As many as ours, and kept: what is opened beyond the pool's size is closed after each request.
        pool_size=pool_size,
        max_overflow=0,
    )
    sessions = async_sessionmaker(engine)
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as session:
            yield session

    @app.get("/flows/{flow_id}")
    async def show_flow(flow_id: UUID, session: Annotated[AsyncSession, Depends(session)]) -> rest.FlowDetail:
        return await flow_detail(session, flow_id)

    return app


async def main(address: str) -> None:
    """Serve on a free port of this machine."""
    listener = reserve("127.0.0.1", 0)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with serving(bare_app(address, connections_for(Settings())), listener):
        print(address_of(listener), flush=True)
        await ended.wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
