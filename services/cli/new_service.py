"""`just new-service NAME`: the files that every service has, with a first handler and its test."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

APP = '''"""The {title} service: say here what it hears and what it answers."""

from services.{name}.handlers import service

__all__ = ["service"]
'''
TABLES = '''"""The tables of the {title} service."""

from sqlalchemy.orm import DeclarativeBase, Mapped

from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("{name}")


class FlowSeen(TenantRow, Tables):
    """How many discoveries of an engagement began; replace it by what the service is for."""

    __tablename__ = "flows_seen"

    count: Mapped[int]
'''
HANDLERS = '''"""What the {title} service does; a handler's signature is its wiring."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import DiscoveryStarted
from services.chassis.service import Service
from services.{name}.tables import FlowSeen, Tables

service = Service(Tables.metadata)


@service.on
async def count_flow(event: DiscoveryStarted, session: AsyncSession) -> None:
    """Count the discoveries of an engagement; replace it by what the service is for."""
    key = ["client_account_id", "engagement_id"]
    count = {{"count": FlowSeen.count + 1}}
    await session.execute(insert(FlowSeen).values(count=1).on_conflict_do_update(index_elements=key, set_=count))
'''
TEST = '''"""The {title} service on a real database and a real bus."""

from uuid import uuid4

from sqlalchemy import select

from contracts.discovery import DiscoveryStarted
from services.chassis.bus.in_process import InProcessBus
from services.chassis.outbox import add_events
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running, some_tenant
from services.{name}.app import service
from services.{name}.tables import FlowSeen


async def test_a_started_discovery_is_counted_once(settings: Settings) -> None:
    tenant = some_tenant()
    bus = InProcessBus()
    async with running([service], settings, lambda _: bus) as runtimes:
        database = runtimes[service.name].database
        async with database.transaction(tenant) as session:
            await add_events(session, service.metadata, [DiscoveryStarted(tenant=tenant, import_ids=[uuid4()])])

        async def count() -> int | None:
            async with database.transaction(tenant) as session:
                return await session.scalar(select(FlowSeen.count))

        assert await eventually(count) == 1
'''


def files_of(name: str) -> dict[Path, str]:
    """The text of every file of a new service by its path below the project."""
    values = {"name": name, "title": name.replace("_", " ")}
    folder = Path("services") / name
    return {
        folder / "app.py": APP.format(**values),
        folder / "tables.py": TABLES.format(**values),
        folder / "handlers.py": HANDLERS.format(**values),
        Path("tests") / name / "test_handlers.py": TEST.format(**values),
    }


def main(name: str) -> int:
    """Write the files, unless the name is no good or taken; returns the exit code."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        print(f"{name!r} is no service name: use snake_case, such as cost_control.", file=sys.stderr)
        return 2
    files = files_of(name)
    if taken := [str(path) for path in files if (ROOT / path).exists()]:
        print(f"There is a service {name} already: {', '.join(taken)} would be overwritten.", file=sys.stderr)
        return 1
    for path, text in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    print(f"Now add {name} to the list in services/cli/service_list.py and to docker-compose.yml, then run:")
    print(f'  just migration {name} "initial tables" && just schemas && just test tests/{name}')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
