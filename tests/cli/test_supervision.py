"""Child processes that stay up, and private nodes that are found again."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.chassis.testing import eventually
from services.cli import supervision
from services.cli.private_nodes import free_port, speaks_amqp, speaks_redis
from services.cli.serving import address_of, reserve
from services.cli.supervision import Child, supervised
from services.cli.terminal import CommandFailed

# Says its process id and waits for the end of its input, as a service does.
WAITS = "import os, sys; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); sys.stdin.read()"


async def truth(check: Callable[[], bool]) -> bool:
    return check()


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_a_child_that_is_killed_is_started_again_and_the_operator_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE_SECONDS", 0.01)
    said: list[str] = []
    log = tmp_path / "pids"
    child = Child("audit", [sys.executable, "-c", WAITS, str(log)], os.environ, said.append)
    async with supervised([child]):
        await eventually(lambda: truth(lambda: len(pids(log)) == 1))
        os.kill(pids(log)[0], signal.SIGKILL)
        await eventually(lambda: truth(lambda: len(pids(log)) == 2))
        # The child may write its own id before its parent knows it.
        await eventually(lambda: truth(lambda: child.pid == pids(log)[1]))
    assert child.pid is None
    assert "audit ended after" in said[0]
    assert "signal SIGKILL" in said[0]
    assert len(said) == 1


async def test_pauses_grow_while_a_child_keeps_dying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE_SECONDS", 0.001)
    said: list[str] = []
    child = Child("audit", [sys.executable, "-S", "-c", "raise SystemExit(3)"], os.environ, said.append)
    async with supervised([child]):
        await eventually(lambda: truth(lambda: len(said) >= 3))
    pauses = [float(line.partition("again in ")[2].partition(" s")[0]) for line in said[:3]]
    assert pauses == [0.001, 0.002, 0.004]
    assert "exit status 3" in said[0]


async def test_a_child_that_will_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(supervision, "STOP_SECONDS", 0.05)
    said: list[str] = []
    log = tmp_path / "pids"
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"
    child = Child("audit", [sys.executable, "-c", deaf, str(log)], os.environ, said.append)
    async with asyncio.timeout(20):
        async with supervised([child]):
            await eventually(lambda: truth(lambda: bool(pids(log))))
    assert child.pid is None
    assert "is killed" in said[0]


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CommandFailed, match=f"Port {port} on 127.0.0.1 cannot be used"):
            reserve("127.0.0.1", port)


def test_port_0_takes_a_free_one() -> None:
    with reserve("127.0.0.1", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_an_answer_in_two_writes_need_not_wait_for_the_clients_acknowledgement() -> None:
    at_once = asyncio.get_running_loop().create_future()

    def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        option = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        at_once.set_result(option)
        writer.close()

    with reserve("127.0.0.1", 0) as listener:
        async with asyncio.timeout(20), await asyncio.start_server(accepted, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await at_once
            writer.close()


def test_a_port_where_nobody_listens_speaks_nothing() -> None:
    port = free_port()
    assert not speaks_amqp(port)
    assert not speaks_redis(port)
