"""A real Postgres that may crash: stopped without a warning, started again, its connections cut."""

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence

import asyncpg

from services.chassis.service import Service
from services.chassis.testing import TestPostgres, a_postgres

RESTART_SECONDS = 30


class CrashingPostgres:
    """One server for all scenarios of a test process, each in a database of its own."""

    def __init__(self, server: TestPostgres) -> None:
        self._server = server
        self._folder = server.directory / "postgres"

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The address of a migrated database of its own, whose commits are on disk when they return."""
        async with self._server.database() as address:
            # The server that tests share among themselves says so before its disk knows; a crash would then lose rows.
            connection = await asyncpg.connect(address, user="postgres")
            await connection.execute("alter system set synchronous_commit = on")
            await connection.execute("select pg_reload_conf()")
            await connection.close()
            yield address

    def _pid(self) -> int:
        return int((self._folder / "postmaster.pid").read_text().split()[0])

    async def crash(self) -> None:
        """Stop at once, as `pg_ctl stop -m immediate` does: nothing is finished, the next start recovers."""
        os.kill(self._pid(), signal.SIGQUIT)
        deadline = time.monotonic() + RESTART_SECONDS
        while (self._folder / "postmaster.pid").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("Postgres did not stop")
            await asyncio.sleep(0.02)

    def _start(self) -> None:
        command = shlex.split((self._folder / "postmaster.opts").read_text())
        with (self._folder / "log").open("ab") as log:
            subprocess.Popen(
                command,
                # Postgres refuses to run as root; its files say as whom it ran.
                user=self._folder.owner() if os.geteuid() == 0 else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def restart(self) -> None:
        """Start as it was started before; returns once it takes connections."""
        await asyncio.to_thread(self._start)
        deadline = time.monotonic() + RESTART_SECONDS
        while True:
            try:
                await (await asyncpg.connect(host=str(self._folder), user="postgres", database="postgres")).close()
            except (OSError, asyncpg.PostgresError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                return


@contextlib.contextmanager
def a_crashing_postgres(services: Sequence[Service]) -> Iterator[CrashingPostgres]:
    """A server that is stopped in the end."""
    with a_postgres(services) as server:
        yield CrashingPostgres(server)


async def cut_connections(admin: asyncpg.Connection, every: int, seed: int) -> int:
    """End every so-manieth connection of the services to this database; returns how many were ended."""
    return int(
        await admin.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where datname = current_database() and usename like 'modernize%' and (pid + $2) % $1 = 0",
            every,
            seed,
        )
    )
