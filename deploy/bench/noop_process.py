"""A process of the flow benchmark: runs the services it is told to, and starts flows when it is told to.

    python -m deploy.bench.noop_process noop_worker,flow_orchestrator PHASE_SECONDS

Commands come as JSON lines on standard input, answers leave as JSON lines on standard output.
"""

import asyncio
import json
import signal
import sys
import time
from typing import Any
from uuid import UUID

import uvloop

from contracts.envelope import Tenant, uuid7
from deploy.bench.noop_flow import NoopRequested, Worker, orchestrator
from services.chassis.logs import configure_logs
from services.chassis.migrations import migrate
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime, transport_for
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import tables_of

TENANT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=2))
ROWS = 1_000


def declared(roles: list[str], worker: Worker) -> list[Service]:
    """The declarations of the services that this process runs."""
    found = []
    for role in roles:
        if role == "noop_worker":
            found.append(worker.service)
        elif role == "flow_orchestrator":
            found.append(orchestrator())
        elif role == "audit":
            from services.audit.app import service as audit

            found.append(audit)
        elif role == "gateway":
            from services.gateway.handlers import service as gateway

            found.append(gateway)
        else:
            raise ValueError(f"{role} is no service of this benchmark")
    return found


async def start_flows(runtime: Runtime, worker: Worker, flows: int) -> float:
    """Start so many flows at once; returns the seconds until the last of them has ended."""
    worker.expect(flows)
    began = time.perf_counter()
    async with runtime.database.transaction(TENANT) as session:
        for first in range(0, flows, ROWS):
            requests = [NoopRequested(tenant=TENANT, flow_id=uuid7()) for _ in range(min(ROWS, flows - first))]
            await add_events(session, runtime.service.metadata, requests)
    runtime.committed()
    await worker.all_ended()
    return time.perf_counter() - began


async def answer(command: dict[str, Any], runtimes: list[Runtime], worker: Worker) -> dict[str, Any]:
    """Do what a command says."""
    if command["do"] == "start":
        for runtime in runtimes:
            await runtime.start()
        return {"started": len(runtimes)}
    if command["do"] == "flows":
        return {"seconds": await start_flows(runtimes[0], worker, command["flows"])}
    if command["do"] == "singles":
        return {"milliseconds": [1000 * await start_flows(runtimes[0], worker, 1) for _ in range(command["flows"])]}
    raise ValueError(f"unknown command {command}")


def say(message: dict[str, Any]) -> None:
    """Answer whoever started this process."""
    print(json.dumps(message), flush=True)


async def run(roles: list[str], phase_seconds: float) -> None:
    """Run these services until told to stop."""
    settings = Settings()
    configure_logs(settings)
    worker = Worker(phase_seconds, reads_along=settings.rabbitmq_url is None)
    if roles == ["migrate"]:
        await migrate(settings, declared(["noop_worker", "flow_orchestrator", "audit", "gateway"], worker), tables_of)
        say({"migrated": True})
        return
    transport = transport_for(settings)
    runtimes = [Runtime(service, settings, transport) for service in declared(roles, worker)]
    for runtime in runtimes:
        await runtime.listen()
    stop, main = asyncio.Event(), asyncio.current_task()
    assert main is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    say({"listening": roles})

    async def obey() -> None:
        while line := await asyncio.to_thread(sys.stdin.readline):
            say(await answer(json.loads(line), runtimes, worker))
        stop.set()

    obeying = asyncio.create_task(obey())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([obeying, stopping], return_when=asyncio.FIRST_COMPLETED)
    if obeying.done():
        await obeying
    # Standard input is read in a thread that nothing can interrupt, and what a benchmark leaves is thrown away.
    sys.stdout.flush()
    signal.raise_signal(signal.SIGKILL)


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1].split(","), float(sys.argv[2])))
