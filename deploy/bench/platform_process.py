"""The platform as `modernize up` runs it, in processes of its own, so that its memory is nobody else's."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 120
STOP_SECONDS = 60

Topology = Literal["embedded", "distributed"]


@dataclass(frozen=True)
class PlatformProcess:
    """A platform that answers on `url`; `pids` are those of its services, or of the one process that is all of them."""

    url: str
    api_key: str
    pids: dict[str, int]

    def peak_resident_mb(self) -> dict[str, float]:
        """The most memory that each process ever had resident, in MB (VmHWM of proc(5), which is Linux's alone)."""
        return {name: _peak_resident_mb(pid) for name, pid in self.pids.items()}


def _peak_resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status names no VmHWM: has the platform ended?")


@asynccontextmanager
async def platform_process(topology: Topology, settings: dict[str, str]) -> AsyncIterator[PlatformProcess]:
    """Run `modernize up` with these settings alone, on a free port, until the block ends."""
    quiet = {"MODERNIZE_PORT": "0", "MODERNIZE_LOG_LEVEL": "warning"}
    others = {name: value for name, value in os.environ.items() if not name.startswith("MODERNIZE_")}
    # It runs where no `.env` of the developer's is read, and finds the code all the same.
    folder = Path(settings["MODERNIZE_DATA_DIR"])
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "services.cli", "up", topology, "--json"]
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**others, "PYTHONPATH": str(ROOT), **quiet, **settings},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    # What it says on its way matters only when it ends early; the pipe is emptied so that it can go on talking.
    said = asyncio.create_task(process.stderr.read())
    try:
        try:
            async with asyncio.timeout(START_SECONDS):
                answer = orjson.loads(await process.stdout.readuntil(b"\n}\n"))
        except asyncio.IncompleteReadError as error:
            raise RuntimeError(f"the platform ended before it was ready: {(await said).decode()}") from error
        api_key = await asyncio.to_thread(Path(answer["api_key_file"]).read_text, encoding="utf-8")
        yield PlatformProcess(answer["url"], api_key.strip(), answer.get("processes") or {"platform": process.pid})
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            await asyncio.gather(process.wait(), said)
