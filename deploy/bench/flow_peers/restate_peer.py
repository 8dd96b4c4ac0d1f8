"""Restate: a service whose handler runs six `ctx.run` steps, and its server as one node on this machine's disk.

Guarantee: the server has the call and every step's result in its replicated log, on one node written with fsync, before
it goes on; it calls the handler again after a crash, and steps that have a result are not run again. It uses neither
Postgres nor RabbitMQ; its server counts as part of it, in CPU and in memory.

Settings: the defaults of the server (24 partitions, fsync of the log). The service is served by one hypercorn with the
limits that the documentation gives for production; two workers on two cores did not help. The client keeps 50 calls
open (best of 20, 50 and 100), 200 when steps wait. Reports to its makers and the web page are
off; it still asks for its newest release at the start, which needs no answer.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx  # type: ignore[import-not-found,unused-ignore]

from deploy.bench.flow_peers.conversation import Run, Setup, check, serve

START_SECONDS = 60
STOP_SECONDS = 30
FLOW_SECONDS = 3600
HYPERCORN = """
bind = "127.0.0.1:{port}"
workers = 1
h2_max_concurrent_streams = 2147483647
keep_alive_max_requests = 2147483647
keep_alive_timeout = 2147483647
"""


def free_ports(count: int) -> list[int]:
    """TCP ports on loopback that nobody uses now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """This program until the block ends."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answered(request: Callable[[], Any]) -> None:
    """Return once the request succeeds; raises what it raised last."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            request().raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def engine(setup: Setup) -> Iterator[Run]:
    """A server with its log on disk, and a service that it calls."""
    ingress, admin, node, service = free_ports(4)
    flow = f"http://127.0.0.1:{ingress}/Flow/run"
    folder = Path(setup.folder)
    (folder / "hypercorn.toml").write_text(HYPERCORN.format(port=service), encoding="utf-8")
    module = "deploy.bench.flow_peers.restate_service:app"
    hypercorn = [sys.executable, "-m", "hypercorn", "--config", str(folder / "hypercorn.toml"), module]
    server = [os.environ["BENCH_RESTATE_SERVER"], "--base-dir", str(folder / "data"), "--node-name", "bench"]
    settings = {
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_IP": "127.0.0.1",
        "RESTATE_BIND_PORT": str(node),
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}/",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_ADMIN__DISABLE_WEB_UI": "true",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "error",
    }

    async def load(flows: int, wait_seconds: float) -> list[int]:
        left = iter(range(flows))
        limits = httpx.Limits(max_connections=setup.concurrency, max_keepalive_connections=setup.concurrency)
        async with httpx.AsyncClient(trust_env=False, timeout=FLOW_SECONDS, limits=limits) as client:

            async def one_after_the_other() -> list[int]:
                results = []
                for _ in left:
                    answer = await client.post(flow, json=wait_seconds)
                    results.append(int(answer.raise_for_status().json()))
                return results

            done = await asyncio.gather(*(one_after_the_other() for _ in range(min(flows, setup.concurrency))))
        return [result for results in done for result in results]

    with running(hypercorn, {}), running(server, settings), asyncio.Runner() as runner:
        with httpx.Client(trust_env=False, timeout=START_SECONDS) as client:
            address = {"uri": f"http://127.0.0.1:{service}"}
            answered(lambda: client.get(f"http://127.0.0.1:{admin}/health"))
            answered(lambda: client.post(f"http://127.0.0.1:{admin}/deployments", json=address))
            answered(lambda: client.post(flow, json=0))
        yield lambda flows, wait_seconds: check(runner.run(load(flows, wait_seconds)))


if __name__ == "__main__":
    serve(engine)
