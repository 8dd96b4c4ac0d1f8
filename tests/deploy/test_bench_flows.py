"""The flow benchmark: ratios and verdicts are computed from the rounds, and a peer that is missing has none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from deploy.bench.flow_peers.conversation import Order, Setup, check, to_line
from deploy.bench.flow_peers.environment import PeerUnavailable, restate_server
from deploy.bench.flow_peers.measurement import ROOT, Member, Peer, family
from deploy.bench.flows_bench import CONCURRENCY, SIDES, FlowsBench, run
from deploy.bench.flows_table import ROWS, TARGETS, FlowsResult, Measured, Target, figures, ratios

PEER = """
from contextlib import contextmanager

from deploy.bench.flow_peers.conversation import STEPS, check, serve


@contextmanager
def engine(setup):
    print("a library says something on standard output")
    yield lambda flows, wait_seconds: check([STEPS if wait_seconds < 1 else 5] * flows)


serve(engine)
"""


def measured(flows_per_s: float, p50_ms: float = 10.0) -> dict[str, float]:
    return {"flows_per_s": flows_per_s, "cpu_ms_per_flow": 2.0, "p50_ms": p50_ms, "p99_ms": 20.0, "peak_mb": 50.0}


def printed(result: FlowsResult) -> list[str]:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(result.table("bench flows"))
    return capture.get().splitlines()


def row(lines: list[str], name: str) -> list[str]:
    return next(cells for line in lines if (cells := [cell.strip() for cell in line.split("│")])[1:2] == [name])


def test_a_figure_is_the_median_of_its_rounds_and_a_ratio_is_taken_within_a_round() -> None:
    rounds: dict[str, list[Measured]] = {
        "embedded": [measured(1000, 5), measured(500, 5), measured(900, 5)],
        "dbos": [measured(50, 20), measured(10, 10), measured(30, 20)],
    }
    assert figures(rounds)["embedded_flows_per_s"] == 900
    assert figures(rounds)["dbos_p50_ms"] == 20
    assert ratios(rounds) == {"embedded_vs_dbos": 30, "single_p50_embedded_vs_dbos": 0.25}


def test_a_round_that_a_peer_did_not_finish_counts_for_neither_side() -> None:
    rounds: dict[str, list[Measured]] = {
        "rabbitmq": [measured(400), measured(900)],
        "celery": [measured(100), None],
    }
    assert ratios(rounds) == {"rabbitmq_vs_celery": 4}
    assert figures(rounds)["celery_flows_per_s"] == 100


def test_the_ratios_have_the_names_that_others_read() -> None:
    assert {target.name for target in TARGETS} == {
        *("embedded_vs_dbos", "embedded_vs_langgraph", "single_p50_embedded_vs_dbos", "rabbitmq_vs_dbos"),
        *("rabbitmq_vs_langgraph", "rabbitmq_vs_celery", "single_p50_rabbitmq_vs_dbos"),
        *("recovery_1000_s", "at_100k_vs_1k"),
    }
    for target in TARGETS:
        assert target.of is None or (target.of[0] in ROWS and set(target.of[1:]) <= set(SIDES))


@pytest.mark.parametrize(
    ("target", "value", "verdict"),
    [
        (Target("speed", "at least", 4), 4.0, "reached"),
        (Target("speed", "at least", 4), 3.99, "missed"),
        (Target("seconds", "at most", 10), 10.0, "reached"),
        (Target("seconds", "at most", 10), 10.01, "missed"),
        (Target("seconds", "at most", 10), None, "-"),
    ],
)
def test_a_limit_itself_is_reached(target: Target, value: float | None, verdict: str) -> None:
    assert target.verdict(value) == verdict


def test_a_missing_peer_is_a_dash_without_a_ratio_and_a_line_that_says_why() -> None:
    rounds: dict[str, list[Measured]] = {"embedded": [measured(1000)], "dbos": [measured(20)]}
    found = {"flows": 1000.0, **figures(rounds), "embedded_flows_per_s_at_10000": 950.0}
    result = FlowsResult(found, ratios(rounds), ("celery cannot run here: [rabbitmq-server] is not installed.",))
    lines = printed(result)
    assert row(lines, "embedded_vs_dbos")[2:5] == ["50.00", "at least 25", "reached"]
    assert row(lines, "rabbitmq_vs_celery")[2:5] == ["-", "at least 4", "-"]
    assert row(lines, "flows/s at 10,000")[2:4] == ["950.0", "-"]
    assert row(lines, "flows/s")[2:4] == ["1,000.0", "20.0"]
    assert any("celery cannot run here: [rabbitmq-server] is not installed." in line for line in lines)


def test_the_json_has_figures_and_ratios_alone(tmp_path: Path) -> None:
    FlowsResult({"flows": 1.0}, {"embedded_vs_dbos": 2.0}, ("a remark",)).write(tmp_path / "flows.json")
    written = json.loads((tmp_path / "flows.json").read_text(encoding="utf-8"))
    assert written == {"figures": {"flows": 1.0}, "ratios": {"embedded_vs_dbos": 2.0}}


def test_a_side_that_fails_is_left_out_and_the_others_go_on() -> None:
    calls: list[str] = []

    def broken(flows: int, wait_seconds: float) -> dict[str, float]:
        calls.append("dbos")
        raise PeerUnavailable("it ended")

    def whole(flows: int, wait_seconds: float) -> dict[str, float]:
        calls.append("langgraph")
        return measured(100 if flows < 10_000 else 80)

    bench = FlowsBench(flows=10)
    bench.sides = {"dbos": broken, "langgraph": whole}
    bench.round(turned=False)
    bench.round(turned=True)
    bench.waiting()
    bench.large((10_000, 100_000), limit_seconds=100)
    result = bench.result()
    assert calls == ["dbos", "langgraph", "langgraph", "langgraph", "langgraph"]
    assert result.figures["langgraph_flows_per_s_waiting_20_ms"] == 100
    assert result.figures["langgraph_flows_per_s_at_10000"] == 80
    assert "langgraph_flows_per_s_at_100000" not in result.figures
    assert [remark.split(":")[0] for remark in result.remarks] == ["dbos cannot run here", "langgraph"]


def test_the_order_of_the_sides_is_turned_round_in_every_other_round() -> None:
    calls: list[str] = []

    def side(name: str) -> dict[str, float]:
        calls.append(name)
        return measured(1)

    bench = FlowsBench(flows=1)
    bench.sides = {name: lambda flows, wait_seconds, name=name: side(name) for name in ("celery", "restate")}  # type: ignore[misc]
    bench.round(turned=False)
    bench.round(turned=True)
    assert calls == ["celery", "restate", "restate", "celery"]


async def test_a_side_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERNIZE_BENCH_SIDES", "dbos,temporal")
    with pytest.raises(ValueError, match="temporal"):
        await run()


def test_every_peer_says_how_much_it_does_at_once() -> None:
    assert set(CONCURRENCY) == set(SIDES) - {"embedded", "rabbitmq"}


def test_a_flow_that_did_not_take_every_step_is_an_error() -> None:
    check([6, 6])
    with pytest.raises(RuntimeError, match="1 of 2 flows ended with 5"):
        check([6, 5])


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """A peer whose engine does nothing; with steps that wait a second it loses one."""
    monkeypatch.setattr(
        "deploy.bench.flow_peers.measurement.QUIET", {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    )
    package = tmp_path / "deploy" / "bench" / "flow_peers"
    package.mkdir(parents=True)
    (package / "empty_peer.py").write_text(PEER, encoding="utf-8")
    return Peer("empty_peer", Path(sys.executable), 1, 1)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    (tmp_path / "own").mkdir()
    return Setup(postgres="", rabbitmq="", folder=str(tmp_path / "own"), concurrency=1)


def test_a_peer_answers_an_order_with_a_time_for_each_load(peer: Peer, setup: Setup) -> None:
    member = Member(peer, setup)
    try:
        assert list(member.answer(60)) == ["ready"]
        assert len(member.seconds(Order(5))) == 1
        assert len(member.seconds(Order(5, one_at_a_time=True))) == 5
        assert family(member.process.pid) == [member.process.pid]
    finally:
        member.stop()
    assert member.process.returncode == 0


def test_a_peer_that_loses_a_step_is_reported_with_what_it_said(peer: Peer, setup: Setup) -> None:
    member = Member(peer, setup)
    try:
        member.answer(60)
        with pytest.raises(PeerUnavailable, match="2 of 2 flows ended with 5 instead of 6 steps"):
            member.seconds(Order(2, wait_seconds=1))
    finally:
        member.stop()


def test_a_family_is_a_process_and_those_below_it() -> None:
    child = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    with subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        below = int(parent.stdout.readline())
        assert family(parent.pid) == [parent.pid, below]
        os.kill(below, 9)


def test_restate_is_missing_where_there_is_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PeerUnavailable, match="there is no npm"):
        restate_server(tmp_path)


def test_what_is_said_is_one_line() -> None:
    assert to_line(Order(3, 0.02)).endswith("}\n")
    assert Order(**json.loads(to_line(Order(3, 0.02)))) == Order(3, 0.02)
