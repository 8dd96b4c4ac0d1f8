"""What a flow of six phases that do nothing costs on this platform: embedded, and over RabbitMQ.

    python -m deploy.bench.flows_product embedded|rabbitmq|recovery|growth [FLOWS]

The database is the embedded Postgres with fsync on; everything is durable, as in production.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from deploy.bench.processes import cpu_seconds, peak_resident_mb, pids_below
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.cli.private_nodes import PrivateRabbitMQ

ROOT = Path(__file__).resolve().parents[2]
SINGLE_FLOWS = 60
WARM_UP_FLOWS = 300
# Entries in the journal of a flow that went well.
DECISIONS = 7
LOOK_SECONDS = 0.02
LIMIT_SECONDS = 600
EMBEDDED = ("flow_orchestrator", "noop_worker")
DISTRIBUTED = (*EMBEDDED, "audit", "gateway")
TERMINAL = "select count(*) from flow_orchestrator.crewai_flow_state_extensions where status = 'completed'"


class Role:
    """A process of the benchmark that is told what to do on its standard input."""

    def __init__(self, roles: Sequence[str], settings: dict[str, str], phase_seconds: float) -> None:
        others = {name: value for name, value in os.environ.items() if not name.startswith("MODERNIZE_")}
        command = [sys.executable, "-m", "deploy.bench.noop_process", ",".join(roles), str(phase_seconds)]
        self._process = subprocess.Popen(
            command,
            env={**others, **settings, "PYTHONPATH": str(ROOT)},
            cwd=settings["MODERNIZE_DATA_DIR"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def answer(self) -> dict[str, Any]:
        """The next thing it says; raises when it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process {self._process.args!r} ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, **command: Any) -> dict[str, Any]:
        """Tell it to do something and wait until it is done."""
        self.tell(**command)
        return self.answer()

    def tell(self, **command: Any) -> None:
        """Tell it to do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=60)


@dataclass
class Bench:
    """A database, perhaps a broker, and the processes that run on them."""

    address: str
    settings: dict[str, str]
    servers: list[int]
    roles: list[Role] = field(default_factory=list)

    @property
    def worker(self) -> Role:
        """The process that starts flows and sees them end."""
        return self.roles[0]

    def cpu_seconds(self) -> float:
        """What all processes have used so far, the servers' included."""
        return sum(cpu_seconds(pid) for pid in [*self.servers, *(role.pid for role in self.roles)])

    def run(self, phase_seconds: float = 0.0) -> None:
        """Start the processes, the worker first, and wait until all of them listen."""
        if "MODERNIZE_RABBITMQ_URL" in self.settings:
            order = sorted(DISTRIBUTED, key=lambda name: name != "noop_worker")
            self.roles = [Role([name], self.settings, phase_seconds) for name in order]
        else:
            self.roles = [Role(["noop_worker", "flow_orchestrator"], self.settings, phase_seconds)]
        for role in self.roles:
            role.answer()
        for role in self.roles:
            role.ask(do="start")

    def stop(self) -> None:
        """Stop the processes."""
        for role in self.roles:
            role.stop()

    def query(self, statement: str) -> Any:
        """The first value of a statement, as a superuser."""

        async def ask() -> Any:
            connection = await _connect(self.address)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def caught_up(self) -> None:
        """Return once everything that was sent has been heard, by the audit and the read model too."""
        audited = "MODERNIZE_RABBITMQ_URL" in self.settings
        names = DISTRIBUTED if audited else EMBEDDED
        self.wait_until("not " + " and not ".join(f"exists (select from {name}.outbox)" for name in names))
        if audited:
            sent = " + ".join(f"coalesce(pg_sequence_last_value('{name}.outbox_seq_seq'), 0)" for name in names)
            self.wait_until(f"(select coalesce(sum(seq), 0) from audit.heads) >= {sent}")
            self.wait_until(f"(select count(*) from gateway.flows where status = 'completed') = ({TERMINAL})")

    def wait_until(self, condition: str) -> None:
        """Look until this SQL condition holds; raises `TimeoutError` if it does not in ten minutes."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not self.query(f"select {condition}"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not true within {LIMIT_SECONDS} s: {condition}")
            time.sleep(LOOK_SECONDS)


@contextmanager
def bench(*, rabbitmq: bool, phase_seconds: float = 0.0) -> Iterator[Bench]:
    """A new database, and a new broker where one is wanted, with the processes running."""
    with tempfile.TemporaryDirectory(prefix="modernize-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "data")
        address = postgres.start()
        stack.callback(postgres.stop)
        settings = {
            "MODERNIZE_DATA_DIR": str(folder),
            "MODERNIZE_DATABASE_URL": address,
            "MODERNIZE_LOG_LEVEL": "warning",
        }
        if rabbitmq:
            node = PrivateRabbitMQ(folder / "rabbitmq")
            settings["MODERNIZE_RABBITMQ_URL"] = node.start()
            stack.callback(node.stop)
        one = Bench(address, settings, pids_below(str(folder)))
        migration = Role(["migrate"], settings, 0)
        migration.answer()
        migration.stop()
        stack.callback(one.stop)
        one.run(phase_seconds)
        yield one


def measure_embedded(flows: int, phase_seconds: float = 0.0) -> dict[str, float]:
    """Orchestrator and worker in one process, on the bus inside it."""
    with bench(rabbitmq=False, phase_seconds=phase_seconds) as one:
        return _measure(one, flows)


def measure_rabbitmq(flows: int, phase_seconds: float = 0.0) -> dict[str, float]:
    """One process each for orchestrator, worker, audit and gateway; done when the last two have heard everything."""
    with bench(rabbitmq=True, phase_seconds=phase_seconds) as one:
        return _measure(one, flows)


def _measure(one: Bench, flows: int) -> dict[str, float]:
    one.worker.ask(do="flows", flows=WARM_UP_FLOWS)
    one.caught_up()
    cpu, began = one.cpu_seconds(), time.perf_counter()
    ended = one.worker.ask(do="flows", flows=flows)
    one.caught_up()
    seconds = time.perf_counter() - began
    cpu = one.cpu_seconds() - cpu
    singles = sorted(one.worker.ask(do="singles", flows=SINGLE_FLOWS)["milliseconds"])
    return {
        "flows_per_s": flows / seconds,
        "ended_per_s": flows / ended["seconds"],
        "cpu_ms_per_flow": 1000 * cpu / flows,
        "p50_ms": statistics.median(singles),
        "p99_ms": singles[min(len(singles) - 1, int(len(singles) * 0.99))],
        "peak_mb": sum(peak_resident_mb(role.pid) for role in one.roles),
    }


def recovery_seconds(flows: int) -> float:
    """Seconds from the restart until `flows` flows are terminal that a SIGKILL interrupted half-way."""
    with bench(rabbitmq=False) as one:
        one.worker.tell(do="flows", flows=flows)
        one.wait_until(f"(select count(*) from flow_orchestrator.flow_journal) >= {flows * DECISIONS // 2}")
        one.worker.kill()
        if one.query(TERMINAL) >= flows:
            raise RuntimeError("the flows had ended before the kill: nothing was interrupted")
        began = time.perf_counter()
        one.run()
        one.wait_until(f"({TERMINAL}) >= {flows}")
        return time.perf_counter() - began


def growth(rows: tuple[int, ...], flows: int = 1_000) -> dict[int, float]:
    """Flows per second with so many ended flows already in the tables, which are copies of flows that were run."""
    found: dict[int, float] = {}
    with bench(rabbitmq=False) as one:
        one.worker.ask(do="flows", flows=1_000)
        one.caught_up()
        for wanted in sorted(rows):
            asyncio.run(_fill(one.address, wanted))
            began = time.perf_counter()
            one.worker.ask(do="flows", flows=flows)
            one.caught_up()
            found[wanted] = flows / (time.perf_counter() - began)
    return found


async def _connect(address: str) -> Any:
    parts = urlsplit(address)
    return await asyncpg.connect(host=parse_qs(parts.query)["host"][0], user="postgres", database=parts.path[1:])


async def _fill(address: str, wanted: int) -> None:
    """Copy flows that ended until there are `wanted`, with all their rows; ids are hashed anew."""
    master = "flow_orchestrator.crewai_flow_state_extensions"
    tables = [master, "flow_orchestrator.planning_flows", "flow_orchestrator.flow_journal"]
    tables += ["flow_orchestrator.inbox", "noop_worker.inbox"]
    connection = await _connect(address)
    try:
        have = await connection.fetchval(f"select count(*) from {master}")
        missing = max(0, wanted - have)
        copies = -(-missing // 1_000)
        await connection.execute(
            f"create temp table picked as select flow_id from {master} order by flow_id limit 1000"
        )
        for table in tables:
            schema, name = table.split(".")
            columns = [
                row["attname"]
                for row in await connection.fetch(
                    "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped"
                    " and attgenerated = ''",
                    table,
                )
            ]
            hashed = {c: f"md5({c}::text || '{wanted}:' || n)::uuid" for c in ("flow_id", "event_id") if c in columns}
            of_flows = " where flow_id in (select flow_id from picked)" if "flow_id" in columns else ""
            chosen = ", ".join(hashed.get(column, column) for column in columns)
            source = f"(select * from {table}{of_flows}{'' if of_flows else ' limit 7000'}) chosen"
            await connection.execute(
                f"insert into {table} ({', '.join(columns)}) select {chosen}"
                f" from {source}, generate_series(1, {copies}) n on conflict do nothing"
            )
            await connection.execute(f"vacuum analyze {schema}.{name}")
        await connection.execute("drop table picked")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


def main(arguments: list[str]) -> None:
    """Run one measurement and print it as JSON."""
    name = arguments[0] if arguments else "embedded"
    flows = int(arguments[1]) if len(arguments) > 1 else 1_000
    measurements: dict[str, Callable[[], object]] = {
        "embedded": lambda: measure_embedded(flows),
        "rabbitmq": lambda: measure_rabbitmq(flows),
        "recovery": lambda: {"recovery_s": recovery_seconds(flows)},
        "growth": lambda: growth((1_000, 10_000, 100_000), flows),
    }
    print(json.dumps(measurements[name](), indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
