"""Child processes that stay up: one that dies is started again, later each time, and all are stopped in the end."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# A child that lived this long was well, so what ended it now is something new.
WELL_SECONDS = 60.0
STOP_SECONDS = 20.0

Say = Callable[[str], None]


class Child:
    """One supervised process."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], say: Say) -> None:
        self.name = name
        self._command = command
        self._environment = dict(environment)
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep_running(self) -> None:
        """Start it, and start it again whenever it ends, until `stop`."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping:
            begun = time.monotonic()
            # Its standard input ends with this process, however that dies, and the child then stops too.
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            if self._stopping:
                self._process.terminate()
            await self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    await self._process.stdin.wait_closed()
            if self._stopping:
                return
            lived = time.monotonic() - begun
            pause = FIRST_PAUSE_SECONDS if lived > WELL_SECONDS else pause
            self._say(
                f"{self.name} ended after {lived:.0f} s ({_how(self._process.returncode)}); the others go on. "
                f"It is started again in {pause:g} s and takes up its work where it stopped."
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def stop(self) -> None:
        """Ask it to end, and end it after a while."""
        self._stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._say(f"{self.name} did not stop within {STOP_SECONDS:.0f} s and is killed; nothing is lost by that.")
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def supervised(children: list[Child]) -> AsyncIterator[None]:
    """Keep these running until the block ends."""
    tasks = [asyncio.create_task(child.keep_running()) for child in children]
    try:
        yield
    finally:
        await asyncio.gather(*(child.stop() for child in children))
        # Those that wait to start a child again have nothing to wait for.
        _, waiting = await asyncio.wait(tasks, timeout=1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def service_child(name: str, environment: Mapping[str, str], say: Say) -> Child:
    """`modernize service NAME` as a child of this process."""
    command = [sys.executable, "-m", "services.cli", "service", name, "--stop-with-parent"]
    return Child(name, command, {**os.environ, **environment}, say)


def _how(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit status {returncode}"
