"""A whole main job of an export whose truth is known: what REST tells of it, and what lies behind."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.settings import Settings
from services.chassis.testing import TestPostgres
from tests.conftest import declared_services, delete_names
from tests.e2e.outcome import Outcome, outcome_of
from tests.e2e.platform import Platform, a_platform
from tests.e2e.rest import Followed, Json

# The platform's words for the truth's environments.
ENVIRONMENTS = {
    "production": "Production",
    "staging": "Staging",
    "test": "Test",
    "development": "Development",
    "disaster_recovery": "DR",
    "unknown": None,
}
# Tables in which something would be there twice if an event took effect twice.
COUNTED_TABLES = (
    "gateway.uploads",
    "gateway.flows",
    "gateway.approvals",
    "gateway.assets",
    "gateway.rejected_rows",
    "gateway.cell_problems",
    "gateway.applications",
    "gateway.dependencies",
    "gateway.treatments",
    "gateway.waves",
    "gateway.report_files",
    "field_mapping.mappings",
    "field_mapping.assets",
    "agent_runner.analyses",
)
GONE = {"decommissioned", "retired"}


@dataclass(frozen=True)
class FinishedJob:
    """An outcome and its truth, and what the services' tables hold afterwards."""

    truth: Json
    outcome: Outcome
    unfinished: dict[str, int]
    masters: list[Any]
    children: dict[str, Any]
    journal: list[Any]
    audit: Json
    audited_types: Counter[str]
    stored: dict[str, int]


def files_of(export: Path) -> list[Path]:
    """The files of an export, without its truth."""
    return sorted(path for path in export.iterdir() if path.suffix in (".csv", ".xlsx"))


def truth_of(export: Path) -> Json:
    """What is true about an export."""
    truth: Json = json.loads((export / "truth.json").read_text(encoding="utf-8"))
    return truth


@asynccontextmanager
async def a_platform_on(
    rabbitmq_url: str | None, postgres: TestPostgres, folder: Path, **changes: Any
) -> AsyncIterator[Platform]:
    """The platform of a fixture that serves many tests: on this broker, or in this process where there is none."""
    async with postgres.database() as address:
        prefix, queues = f"test-{uuid4().hex[:12]}-", set[str]()
        settings = Settings(
            database_url=address,
            rabbitmq_url=rabbitmq_url,
            bus_prefix=prefix,
            data_dir=folder,
            blob_url=(folder / "blobs").as_uri(),
            poll_seconds=0.05,
            **changes,
        )
        if rabbitmq_url is None:
            bus = InProcessBus()
            async with a_platform(declared_services(), settings, lambda service: bus) as platform:
                yield platform
            return
        try:
            async with a_platform(
                declared_services(), settings, lambda service: RabbitBus(rabbitmq_url, prefix)
            ) as platform:
                queues.update(each.queue for run in platform.runtimes.values() for each in run.subscriptions())
                yield platform
        finally:
            await delete_names(rabbitmq_url, prefix, queues)


async def finish(platform: Platform, export: Path, edits: dict[str, str | None] | None = None) -> FinishedJob:
    """Take an export from upload to report."""
    client = platform.client
    return await finished(platform, await client.follow(await client.start_with(files_of(export)), edits), export)


async def finished(platform: Platform, followed: Followed, export: Path) -> FinishedJob:
    """Read all there is about a job that was followed to its end."""
    await platform.settled()
    outcome = await outcome_of(platform.client, followed)
    audit = await platform.client.audit_verified()
    await platform.settled()
    flows = "flow_orchestrator"
    tables = {"discovery": "discovery_flows", "assessment": "assessment_flows", "planning": "planning_flows"}
    children = {name: (await platform.rows(flows, f"select * from {flows}.{table}")) for name, table in tables.items()}
    return FinishedJob(
        truth=truth_of(export),
        outcome=outcome,
        unfinished=await platform.unfinished(),
        masters=await platform.rows(flows, f"select * from {flows}.crewai_flow_state_extensions"),
        children=children,
        journal=await platform.rows(flows, f"select * from {flows}.flow_journal order by flow_id, seq"),
        audit=audit,
        audited_types=Counter(
            row["event_type"] for row in await platform.rows("audit", "select event_type from audit.entries")
        ),
        stored={
            table: (await platform.rows(table.partition(".")[0], f"select count(*) from {table}"))[0]["count"]
            for table in COUNTED_TABLES
        },
    )
