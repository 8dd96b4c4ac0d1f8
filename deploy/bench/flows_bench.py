"""`./justw bench flows`: flows of six durable steps that do nothing, on this platform and on its peers.

All on this machine, on an embedded Postgres with fsync on and a RabbitMQ with quorum queues; each side in processes of
its own, one side at a time. Sides take turns within a round and the order is turned round from round to round. What
each peer is set to, and why, stands in its module in `flow_peers`.

MODERNIZE_BENCH_FLOWS (1,000 at once) and MODERNIZE_BENCH_ROUNDS (3) size the main figures. MODERNIZE_BENCH_SIDES names
the sides to run. 10,000 flows are run where they take a minute at most, 100,000 by the embedded platform, as rows that
are there already; MODERNIZE_BENCH_FLOWS_LARGE=1 runs both sizes on every side, however long it takes.
"""

import asyncio
import importlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from deploy.bench.flow_peers.environment import PeerUnavailable, install_packages, restate_server
from deploy.bench.flow_peers.measurement import Peer, Servers
from deploy.bench.flows_table import FlowsResult, Measured, figures, ratios
from deploy.bench.processes import pids_below
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.cli.private_nodes import PrivateRabbitMQ

PEERS: list[str] = []  # They have an environment of their own, beside which nothing of the platform is installed.

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".bench" / "envs" / "flow_peers"
FLOWS, ROUNDS, LARGE = 1_000, 3, (10_000, 100_000)
WAIT_SECONDS = 0.02
# Waits take long, and a quarter of the flows tells as much about them.
WAITING_SHARE = 4
QUICK_SECONDS = 60
# What a peer does at once when its steps do nothing, and when they wait; measured, see the peers' modules.
CONCURRENCY = {"dbos": (10, 50), "langgraph": (16, 16), "celery": (2, 10), "restate": (50, 200)}
SIDES = ("embedded", "dbos", "langgraph", "rabbitmq", "celery", "restate")

# Runs so many flows whose steps wait so many seconds; a figure by name.
Measure = Callable[[int, float], dict[str, float]]


async def run() -> FlowsResult:
    """Measure every side; one that cannot run here is named in the remarks."""
    sides = os.environ.get("MODERNIZE_BENCH_SIDES", ",".join(SIDES)).split(",")
    if unknown := set(sides) - set(SIDES):
        raise ValueError(f"MODERNIZE_BENCH_SIDES names {', '.join(sorted(unknown))}; there are {', '.join(SIDES)}")
    flows = int(os.environ.get("MODERNIZE_BENCH_FLOWS", FLOWS))
    rounds = int(os.environ.get("MODERNIZE_BENCH_ROUNDS", ROUNDS))
    large = os.environ.get("MODERNIZE_BENCH_FLOWS_LARGE") == "1"
    # The platform's own measurements run event loops themselves.
    return await asyncio.to_thread(measure, sides, flows, rounds, large)


def measure(sides: list[str], flows: int, rounds: int, large: bool) -> FlowsResult:
    """All rounds of these sides, and what is measured once."""
    bench = FlowsBench(flows)
    with servers(with_rabbitmq="celery" in sides) as shared:
        bench.add(sides, shared)
        for number in range(rounds):
            bench.round(turned=number % 2 == 1)
        bench.waiting()
        bench.large(LARGE if large else LARGE[:1], None if large else QUICK_SECONDS)
    if "embedded" in bench.sides:
        bench.only_ours(1_000, 100_000)
    return bench.result()


class FlowsBench:
    """The sides that run, and what has been found so far."""

    def __init__(self, flows: int) -> None:
        self.sides: dict[str, Measure] = {}
        self._flows = flows
        self._rounds: dict[str, list[Measured]] = {}
        self._once: dict[str, float] = {}
        self._ratios: dict[str, float] = {}
        self._remarks: list[str] = []

    def add(self, names: list[str], shared: Servers) -> None:
        """Make these sides ready; a peer that cannot be had is left out."""
        if set(names) - {"embedded", "rabbitmq"}:
            python = install_packages(ENVIRONMENT)
        for name in names:
            try:
                self.sides[name] = _ours(name) if name in ("embedded", "rabbitmq") else _peer(name, python, shared)
            except PeerUnavailable as reason:
                self._leave_out(name, reason)

    def round(self, turned: bool) -> None:
        """Every side once."""
        names = list(reversed(self.sides)) if turned else list(self.sides)
        for name in names:
            found = self._measure(name, self._flows, 0.0)
            self._rounds.setdefault(name, []).append(found)

    def waiting(self) -> None:
        """Every side with 20 ms of waiting in each step."""
        for name in list(self.sides):
            if found := self._measure(name, max(1, self._flows // WAITING_SHARE), WAIT_SECONDS):
                for figure in ("flows_per_s", "cpu_ms_per_flow"):
                    self._once[f"{name}_{figure}_waiting_20_ms"] = found[figure]

    def large(self, sizes: tuple[int, ...], limit_seconds: float | None) -> None:
        """More flows at once, on the sides whose speed so far promises to be within the limit."""
        for size in sizes:
            for name in list(self.sides):
                promised = size / figures(self._rounds)[f"{name}_flows_per_s"]
                if limit_seconds is not None and promised > limit_seconds:
                    why = f"{name}: {size:,} flows would take about {promised:,.0f} s"
                    self._remarks.append(f"{why}; MODERNIZE_BENCH_FLOWS_LARGE=1 runs them.")
                elif found := self._measure(name, size, 0.0):
                    self._once[f"{name}_flows_per_s_at_{size}"] = found["flows_per_s"]

    def only_ours(self, few: int, many: int) -> None:
        """Recovery from SIGKILL, and the speed with many flows in the tables against that with few."""
        product = importlib.import_module("deploy.bench.flows_product")
        self._ratios["recovery_1000_s"] = product.recovery_seconds(1_000)
        grown: dict[int, float] = product.growth((few, many))
        self._ratios["at_100k_vs_1k"] = grown[many] / grown[few]
        self._once |= {f"embedded_flows_per_s_with_{rows}_in_tables": speed for rows, speed in grown.items()}

    def result(self) -> FlowsResult:
        """What was found."""
        found = {"flows": float(self._flows), **figures(self._rounds), **self._once}
        return FlowsResult(found, {**ratios(self._rounds), **self._ratios}, tuple(self._remarks))

    def _measure(self, name: str, flows: int, wait_seconds: float) -> Measured:
        print(f"{name}: {flows:,} flows{f' that wait {wait_seconds * 1000:g} ms a step' if wait_seconds else ''} ...")
        try:
            return self.sides[name](flows, wait_seconds)
        except PeerUnavailable as reason:
            self._leave_out(name, reason)
            return None

    def _leave_out(self, name: str, reason: PeerUnavailable) -> None:
        self.sides.pop(name, None)
        self._remarks.append(f"{name} cannot run here: {reason}.")


def _ours(name: str) -> Measure:
    product = importlib.import_module("deploy.bench.flows_product")
    found: Measure = getattr(product, f"measure_{name}")
    return found


def _peer(name: str, python: Path, shared: Servers) -> Measure:
    settings = {"BENCH_RESTATE_SERVER": str(restate_server(ENVIRONMENT))} if name == "restate" else {}
    if name == "celery" and not shared.rabbitmq:
        raise PeerUnavailable("rabbitmq-server is not installed")
    return partial(Peer(f"{name}_peer", python, *CONCURRENCY[name], settings).measure, shared)


@contextmanager
def servers(with_rabbitmq: bool) -> Iterator[Servers]:
    """An embedded Postgres and a private RabbitMQ, as the platform's side has them: all of their CPU is a peer's."""
    with tempfile.TemporaryDirectory(prefix="modernize-bench-") as name, ExitStack() as stack:
        postgres = EmbeddedPostgres(Path(name) / "data")
        address = postgres.start()
        stack.callback(postgres.stop)
        rabbitmq = ""
        if with_rabbitmq and PrivateRabbitMQ.server() is not None:
            node = PrivateRabbitMQ(Path(name) / "rabbitmq")
            rabbitmq = node.start()
            stack.callback(node.stop)
        yield Servers(parse_qs(urlsplit(address).query)["host"][0], rabbitmq, pids_below(name))
