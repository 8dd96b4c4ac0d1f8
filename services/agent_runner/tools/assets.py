"""Looking up assets and dependencies in the newest inventory of the engagement."""

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field
from sqlalchemy import select

from contracts.envelope import BlobRef
from services.agent_runner.tables import Analysis, Inventory
from services.agent_runner.tools.definition import Arguments, Run, Tool
from services.chassis.errors import NotFound

MOST_ROWS = 20
LONGEST_TEXT = 200
_NAMES = ("name", "hostname", "vm_name", "fqdn", "ip_address", "asset_id")
_SHOWN = (
    *("name", "asset_type", "environment", "application_name", "operating_system", "operating_system_release"),
    *("database_engine", "database_version", "server_role", "criticality", "lifecycle_status", "power_state"),
    *("cpu_cores", "memory_gb", "storage_gb", "cpu_utilization_pct", "memory_utilization_pct", "datacenter"),
    *("business_owner", "data_classification", "dependencies"),
)
_ENDS = ("source_name", "target_name")


class LookUpAssets(Arguments):
    """Which assets."""

    name: str | None = Field(default=None, max_length=200, description="Part of a name or address; null: any")
    application: str | None = Field(default=None, max_length=200, description="Part of the application's name")
    operating_system: str | None = Field(default=None, max_length=200, description="Part of its name")
    environment: str | None = Field(default=None, max_length=200, description="Such as production")
    limit: int = Field(default=10, ge=1, le=MOST_ROWS)


class LookUpDependencies(Arguments):
    """Whose dependencies."""

    application: str = Field(min_length=1, max_length=200, description="Part of an application's name")
    limit: int = Field(default=10, ge=1, le=MOST_ROWS)


async def look_up_assets(run: Run, asked: LookUpAssets) -> dict[str, Any]:
    """The assets that fit, the first by name."""
    async with run.job.reading() as session:
        stored = await session.scalar(select(Inventory.assets))
    if stored is None:
        raise NotFound("no_inventory", "This engagement has no inventory yet.")
    async with run.job.blobs.local(run.tenant, BlobRef.model_validate(stored)) as path:
        return await run.job.run(assets_in, path, asked)


async def look_up_dependencies(run: Run, asked: LookUpDependencies) -> dict[str, Any]:
    """The dependencies of the applications that fit, those that were seen most first."""
    newest = (
        select(Analysis.outputs).where(Analysis.kind == "dependency_analysis").order_by(Analysis.finished_at.desc())
    )
    async with run.job.reading() as session:
        outputs = await session.scalar(newest.limit(1))
    if outputs is None:
        raise NotFound("no_dependencies", "No dependencies of this engagement were analysed yet.")
    async with run.job.blobs.local(run.tenant, BlobRef.model_validate(outputs["dependencies"])) as path:
        return await run.job.run(dependencies_in, path, asked)


def assets_in(path: Path, asked: LookUpAssets) -> dict[str, Any]:
    """What a file of assets says to a question."""
    rows = pl.scan_parquet(path)
    columns = rows.collect_schema().names()
    for text, names in (
        (asked.name, _NAMES),
        (asked.application, ("application_name",)),
        (asked.operating_system, ("operating_system", "operating_system_product")),
        (asked.environment, ("environment",)),
    ):
        if text:
            rows = rows.filter(pl.any_horizontal(_contains(name, text) for name in names if name in columns))
    return _told(rows, [name for name in _SHOWN if name in columns], "name", asked.limit, descending=False)


def dependencies_in(path: Path, asked: LookUpDependencies) -> dict[str, Any]:
    """What a file of dependencies says to a question."""
    rows = pl.scan_parquet(path).filter(pl.any_horizontal(_contains(name, asked.application) for name in _ENDS))
    shown = [*_ENDS, "kind", "port", "observations", "evidence"]
    return _told(rows, shown, "observations", asked.limit, descending=True)


def _contains(column: str, text: str) -> pl.Expr:
    found = pl.col(column).str.to_lowercase().str.contains(text.strip().lower(), literal=True)
    return found.fill_null(value=False)


def _told(rows: pl.LazyFrame, shown: list[str], by: str, limit: int, *, descending: bool) -> dict[str, Any]:
    found = rows.select(shown).collect()
    first = found.sort(by, descending=descending, nulls_last=True, maintain_order=True).head(limit)
    told = [{name: _short(value) for name, value in row.items() if value is not None} for row in first.to_dicts()]
    return {"found": found.height, "shown": len(told), "rows": told}


def _short(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else str(value)[:LONGEST_TEXT]


TOOLS = (
    Tool(
        name="look_up_assets",
        description="Assets of this engagement's newest inventory, by part of a name, application or operating system.",
        arguments=LookUpAssets,
        call=look_up_assets,
        needs=Inventory,
    ),
    Tool(
        name="look_up_dependencies",
        description="What an application calls and what calls it, as the newest analysis found it.",
        arguments=LookUpDependencies,
        call=look_up_dependencies,
        needs=Analysis,
    ),
)
