"""A Postgres that may crash, and a nursery of processes: one of each a test process."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.chaos.child import declared
from tests.chaos.nursery import Nursery, a_nursery, visit
from tests.chaos.postgres import CrashingPostgres, a_crashing_postgres


@pytest.fixture(scope="session")
def crashing_postgres() -> Iterator[CrashingPostgres]:
    with a_crashing_postgres(list(declared().values())) as postgres:
        yield postgres


@pytest.fixture(scope="session")
def nursery_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with a_nursery(tmp_path_factory.mktemp("nursery")) as path:
        yield path


@pytest.fixture
async def nursery(nursery_socket: Path) -> AsyncIterator[Nursery]:
    async with visit(nursery_socket) as nursery:
        yield nursery


@pytest.fixture
async def crash_database(crashing_postgres: CrashingPostgres) -> AsyncIterator[str]:
    async with crashing_postgres.database() as address:
        yield address
