"""Platforms and services as child processes that can be killed at a chosen moment."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2

from services.chassis.settings import Settings
from services.chassis.testing import eventually
from tests.e2e.platform import API_KEY
from tests.e2e.rest import RestClient

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Child:
    """A `modernize` command that runs until it is killed, and where it answers."""

    process: asyncio.subprocess.Process
    url: str

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        await self.process.wait()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RestClient]:
        """A client of the gateway in this process."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as http:
            yield RestClient(http, {"x-api-key": API_KEY})


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: this one, the project on the path, and these settings."""
    told = settings.model_dump(exclude={"database_password", "api_key"}, exclude_none=True)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        **{f"MODERNIZE_{name.upper()}": str(value) for name, value in told.items()},
        "MODERNIZE_API_KEY": API_KEY,
        "MODERNIZE_PORT": "0",
    }


@asynccontextmanager
async def a_child(settings: Settings, *command: str) -> AsyncIterator[Child]:
    """`modernize <command>` once it is ready; killed in the end if it still runs."""
    log = settings.data_dir / f"{'-'.join(command)}.log"
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *command, "--json"),
            env=environment(settings),
            cwd=settings.data_dir,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    try:
        yield Child(process, await _announced_url(process, log))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _announced_url(process: asyncio.subprocess.Process, log: Path) -> str:
    assert process.stdout is not None
    text = ""
    async for line in process.stdout:
        text += line.decode()
        if line.rstrip() == b"}":
            return str(json.loads(text)["url"])
    raise AssertionError(f"it ended before it was ready; its log is {log}")


async def moment(database_url: str, service: str, event_type: str, seconds: float = 60) -> None:
    """Return as soon as a worker of the service is in the middle of this work."""
    connection = await asyncpg.connect(f"{database_url}", user="postgres")
    query = f"select count(*) from {service}.work where event_type = $1 and lease_until > now()"

    async def at_work() -> bool:
        return bool(await connection.fetchval(query, event_type))

    try:
        await eventually(at_work, seconds)
    finally:
        await connection.close()
