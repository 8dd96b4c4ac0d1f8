"""Where children come from: a process that has imported everything and forks, so that a new child costs no seconds.

It serves one visitor at a time on a socket: one JSON request a line in, one JSON notice a line out, which say which
child was forked, and when one stopped or ended. When a visitor leaves, the children that are left are killed.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from tests.chaos.child import Part, run
from tests.chaos.platform import ROOT

PR_SET_PDEATHSIG = 1
START_SECONDS = 120
LIBC = ctypes.CDLL(None)


def serve(path: str) -> None:
    """Serve visitors until killed."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        visitor, _ = listener.accept()
        with visitor:
            _Visit(visitor, reader, listener).last()


class _Visit:
    def __init__(self, visitor: socket.socket, reader: int, listener: socket.socket) -> None:
        self._visitor = visitor
        self._reader = reader
        self._listener = listener
        self._children: set[int] = set()

    def last(self) -> None:
        """Fork and tell until the visitor leaves."""
        pending = b""
        while True:
            ready, _, _ = select.select([self._visitor.fileno(), self._reader], [], [])
            if self._reader in ready:
                os.read(self._reader, 4096)
                self._reap()
            if self._visitor.fileno() in ready:
                got = self._visitor.recv(65536)
                if not got:
                    break
                *lines, pending = (pending + got).split(b"\n")
                for line in lines:
                    self._fork(Part.from_json(json.loads(line)))
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _fork(self, part: Part) -> None:
        pid = os.fork()
        if pid == 0:
            self._be(part)
        self._children.add(pid)
        self._tell(forked=part.name, pid=pid)

    def _be(self, part: Part) -> None:
        status = 1
        try:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._listener.close()
            self._visitor.close()
            output = os.open(part.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            run(part)
            status = 0
        except BaseException:  # noqa: BLE001 - a fork must not go on as the nursery, whatever happened
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if not ended:
                continue
            if os.WIFSTOPPED(status):
                self._tell(stopped=pid)
            else:
                self._children.discard(pid)
                self._tell(ended=pid, code=os.waitstatus_to_exitcode(status))

    def _tell(self, **notice: Any) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._visitor.sendall(json.dumps(notice).encode() + b"\n")


@contextlib.contextmanager
def a_nursery(folder: Path) -> Iterator[Path]:
    """The socket of a nursery whose children see nothing of the developer's settings; it ends with the block."""
    path = folder / "nursery"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MODERNIZE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.nursery", str(path)],
        env={**clean, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the nursery ended before it was ready; its error is above")
        yield path
    finally:
        process.kill()
        process.wait()


class Nursery:
    """A visit to the nursery."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._forked: asyncio.Queue[int] = asyncio.Queue()
        self._listeners: dict[int, Callable[[str, int], None]] = {}
        self._missed: dict[int, list[tuple[str, int]]] = {}

    async def listen(self, notices: asyncio.StreamReader) -> None:
        """Pass notices on until the visit ends."""
        async for line in notices:
            notice = json.loads(line)
            if "forked" in notice:
                self._forked.put_nowait(notice["pid"])
            elif "stopped" in notice:
                self._pass_on(notice["stopped"], "stopped", 0)
            else:
                self._pass_on(notice["ended"], "ended", notice["code"])

    def _pass_on(self, pid: int, what: str, code: int) -> None:
        if pid in self._listeners:
            self._listeners[pid](what, code)
        else:
            self._missed.setdefault(pid, []).append((what, code))

    async def fork(self, part: Part, listener: Callable[[str, int], None]) -> int:
        """The pid of a new child; `listener(what, exit code)` hears when it `stopped` or `ended`."""
        self._writer.write(json.dumps(part.as_json()).encode() + b"\n")
        pid = await self._forked.get()
        self._listeners[pid] = listener
        for missed in self._missed.pop(pid, []):
            listener(*missed)
        return pid


@contextlib.asynccontextmanager
async def visit(path: Path) -> AsyncIterator[Nursery]:
    """A visit; the children of it that are left are killed in the end."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    nursery = Nursery(writer)
    listening = asyncio.create_task(nursery.listen(reader))
    try:
        yield nursery
    finally:
        writer.close()
        await writer.wait_closed()
        listening.cancel()
        await asyncio.wait([listening])


if __name__ == "__main__":
    serve(sys.argv[1])
