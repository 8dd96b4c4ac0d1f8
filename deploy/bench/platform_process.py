"""The embedded platform as `modernize up` runs it, in a process of its own, so that its memory is nobody else's."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

START_SECONDS = 120
STOP_SECONDS = 60


@dataclass(frozen=True)
class PlatformProcess:
    """A platform that runs and answers on `url`."""

    pid: int
    url: str
    api_key: str

    def peak_resident_mb(self) -> float:
        """The most memory that the process ever had resident, in MB (VmHWM of proc(5), which is Linux's alone)."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"/proc/{self.pid}/status names no VmHWM: has the platform ended?")


@asynccontextmanager
async def platform_process(data_dir: Path, database_url: str) -> AsyncIterator[PlatformProcess]:
    """Run `modernize up` on this database, on a free port, until the block ends."""
    settings = {
        "MODERNIZE_DATA_DIR": str(data_dir),
        "MODERNIZE_DATABASE_URL": database_url,
        "MODERNIZE_PORT": "0",
        "MODERNIZE_LOG_LEVEL": "warning",
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("MODERNIZE_")}
    command = [sys.executable, "-m", "services.cli", "up", "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, env={**others, **settings}, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                answer = orjson.loads(await process.stdout.readuntil(b"\n}\n"))
        except asyncio.IncompleteReadError as error:
            raise RuntimeError("the platform ended before it was ready; what it wrote above says why") from error
        api_key = Path(answer["api_key_file"]).read_text(encoding="utf-8").strip()
        yield PlatformProcess(process.pid, answer["url"], api_key)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
