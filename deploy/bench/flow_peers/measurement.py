"""One peer measured as the platform is: in processes of its own, with what it costs Postgres and RabbitMQ."""

import asyncio
import json
import os
import selectors
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from deploy.bench.flow_peers.conversation import Order, Setup, to_line
from deploy.bench.flow_peers.environment import PeerUnavailable
from deploy.bench.processes import cpu_seconds, peak_resident_mb

ROOT = Path(__file__).resolve().parents[3]
WARM_UP_FLOWS = 100
SINGLE_FLOWS = 50
START_SECONDS = 120
# An order may take so long, and so much longer a flow: a peer that stalls is left out.
ORDER_SECONDS, SECONDS_A_FLOW = 120, 0.2
STOP_SECONDS = 60
# Peers that report to their makers or look for updates are told not to: everything stays on loopback.
QUIET = {"DO_NOT_TRACK": "1", "LANGSMITH_TRACING": "false", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Servers:
    """What all peers share: sockets, addresses and the processes of the servers."""

    socket_folder: str
    rabbitmq: str
    pids: list[int]

    def database(self, name: str) -> str:
        """The address of a database, as its superuser."""
        return f"postgresql://postgres@/{name}?host={self.socket_folder}"

    def execute(self, statement: str) -> None:
        """Run a statement outside a transaction, as the superuser."""

        async def run() -> None:
            connection = await asyncpg.connect(host=self.socket_folder, user="postgres", database="postgres")
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())


@dataclass(frozen=True)
class Peer:
    """A module of this package, run by the peers' Python; it may do more at once when its steps wait."""

    module: str
    python: Path
    concurrency: int
    concurrency_waiting: int
    environment: dict[str, str] = field(default_factory=dict)

    def measure(self, servers: Servers, flows: int, wait_seconds: float = 0.0) -> dict[str, float]:
        """Flows per second, CPU milliseconds a flow, single-flow percentiles and peak memory, on a new database.

        Memory is that of the peer's processes, its own server's included, without Postgres and RabbitMQ, which all
        sides share. Raises `PeerUnavailable` when it ends or does not answer.
        """
        with self._running(servers, self.concurrency_waiting if wait_seconds else self.concurrency) as member:
            member.seconds(Order(WARM_UP_FLOWS))
            pids = [*servers.pids, member.process.pid]
            cpu = sum(map(cpu_seconds, pids))
            (seconds,) = member.seconds(Order(flows, wait_seconds))
            cpu = sum(map(cpu_seconds, pids)) - cpu
            singles = member.seconds(Order(SINGLE_FLOWS, wait_seconds, one_at_a_time=True))
            return {
                "flows_per_s": flows / seconds,
                "cpu_ms_per_flow": 1000 * cpu / flows,
                "p50_ms": 1000 * statistics.median(singles),
                "p99_ms": 1000 * statistics.quantiles(singles, n=100, method="inclusive")[98],
                "peak_mb": sum(map(peak_resident_mb, family(member.process.pid))),
            }

    @contextmanager
    def _running(self, servers: Servers, concurrency: int) -> Iterator["Member"]:
        database = f"{self.module}_{time.time_ns()}"
        servers.execute(f"create database {database}")
        with tempfile.TemporaryDirectory(prefix="modernize-peer-") as folder:
            setup = Setup(servers.database(database), servers.rabbitmq, folder, concurrency)
            member = Member(self, setup)
            try:
                member.answer(START_SECONDS)
                yield member
            finally:
                member.stop()
                servers.execute(f"drop database {database} with (force)")


class Member:
    """One process of a peer, and all that it starts."""

    def __init__(self, peer: Peer, setup: Setup) -> None:
        self._log = Path(setup.folder) / "log"
        module = f"deploy.bench.flow_peers.{peer.module}"
        with self._log.open("wb") as log:
            # In a session of its own, so that it can be ended with everything that it started.
            self.process = subprocess.Popen(
                [peer.python, "-m", module, to_line(setup)],
                env={**os.environ, **QUIET, **peer.environment},
                cwd=setup.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def seconds(self, order: Order) -> list[float]:
        """Have it carry out an order; returns how long it took, a figure a load."""
        assert self.process.stdin is not None
        self.process.stdin.write(to_line(order).encode())
        self.process.stdin.flush()
        found: list[float] = self.answer(ORDER_SECONDS + SECONDS_A_FLOW * order.flows)["seconds"]
        return found

    def answer(self, limit_seconds: float) -> dict[str, list[float]]:
        """The next thing it says."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(limit_seconds) else b""
        if not line:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip()
            raise PeerUnavailable(f"it ended or did not answer: {said.rpartition(chr(10))[2][:200]}")
        found: dict[str, list[float]] = json.loads(line)
        return found

    def stop(self) -> None:
        """End it in order, and in any case."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()


def family(pid: int) -> list[int]:
    """A process and those below it that run."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
    ]
    return [pid, *(below for child in children for below in family(child))]
