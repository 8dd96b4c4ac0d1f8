"""Applications as agents are told of them, and as the rules of 6R and risk take them."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from pydantic import Field

from contracts.claim_checks import APPLICATIONS, ASSETS, DEPENDENCIES
from services.agent_runner.agents.definition import Item
from services.agent_runner.analysis.application_facts import ApplicationFacts, gather_facts
from services.agent_runner.analysis.layouts import schema_of

_ASSET = (
    *("operating_system_product", "operating_system_release", "database_engine", "database_version", "architecture"),
    *(
        "power_state",
        "is_virtual",
        "cpu_utilization_pct",
        "memory_utilization_pct",
        "server_role",
        "migration_strategy",
    ),
)
_APPLICATION = ("name", "environment", "criticality", "business_owner", "lifecycle_status", "data_classification")


class ApplicationItem(Item):
    """What is known of an application; what is not known is left out."""

    name: str = Field(min_length=1, max_length=300)
    environment: str | None = None
    criticality: str | None = None
    business_owner: str | None = None
    lifecycle_status: str | None = None
    data_classification: str | None = None
    operating_system_product: str | None = Field(default=None, examples=["Windows Server"])
    operating_system_release: str | None = Field(default=None, examples=["2012 R2"])
    database_engine: str | None = None
    database_version: str | None = None
    architecture: str | None = None
    power_state: str | None = None
    is_virtual: bool | None = None
    cpu_utilization_pct: float | None = Field(default=None, ge=0, le=100)
    memory_utilization_pct: float | None = Field(default=None, ge=0, le=100)
    server_role: str | None = None
    migration_strategy: str | None = Field(default=None, description="A treatment that the inventory records")
    assets: int = Field(default=1, ge=0, le=10_000, description="How many; they count as alike")
    uses: list[str] = Field(default=[], max_length=100, description="Names of applications that it calls")
    used_by: list[str] = Field(default=[], max_length=100, description="Names of applications that call it")


def facts_of(item: ApplicationItem, as_of: date | None = None) -> ApplicationFacts:
    """The facts that the rules weigh; support of operating systems is judged at `as_of`, today by default."""
    known = item.model_dump()
    asset = {name: known[name] for name in _ASSET}
    assets = [{"asset_uid": f"{number}", "name": f"{item.name} {number}", **asset} for number in range(item.assets)]
    application = {
        "application_uid": item.key,
        "asset_uids": [each["asset_uid"] for each in assets],
        "asset_count": item.assets,
        **{name: known[name] for name in _APPLICATION},
    }
    ties = [(item.key, f"to {name}") for name in item.uses] + [(f"from {name}", item.key) for name in item.used_by]
    dependencies = [{"source_application_uid": one, "target_application_uid": other} for one, other in ties]
    (facts,) = gather_facts(
        _frame(assets, ASSETS),
        _frame([application], APPLICATIONS),
        _frame(dependencies, DEPENDENCIES),
        as_of or datetime.now(UTC).date(),
    )
    return facts


def _frame(rows: list[dict[str, Any]], layout: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in layout} for row in rows], schema=schema_of(layout))
