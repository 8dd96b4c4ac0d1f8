"""A small estate as the other services would hand it over: Parquet files by claim check, and the events about them."""

import io
from typing import Any
from uuid import UUID, uuid5

import polars as pl

from contracts import claim_checks
from contracts.assessment import SixRCompleted
from contracts.discovery import DependencyAnalysisCompleted, InventoryCompleted, QualityReport
from contracts.envelope import BlobRef, Tenant, uuid7
from contracts.planning import Wave, WavePlanningCompleted
from contracts.quality import QualityCompleted
from services.chassis.blobs import Blobs

_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "String": pl.String,
    "Int64": pl.Int64,
    "Float64": pl.Float64,
    "Boolean": pl.Boolean,
    "Date": pl.Date,
    "Datetime": pl.Datetime,
    "List(String)": pl.List(pl.String),
}
NAMES = UUID(int=7)


def uid(name: str) -> str:
    """The same id whenever the same thing is named."""
    return str(uuid5(NAMES, name))


async def stored(blobs: Blobs, tenant: Tenant, layout: dict[str, str], rows: list[dict[str, Any]]) -> BlobRef:
    """Rows as a Parquet file of this layout; what a row leaves out is null."""
    schema = {name: _TYPES[type_name] for name, type_name in layout.items()}
    content = io.BytesIO()
    pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema).write_parquet(content)
    return await blobs.put_bytes(tenant, "frames", content.getvalue(), "application/vnd.apache.parquet")


async def inventory(
    blobs: Blobs,
    tenant: Tenant,
    flow_id: UUID,
    assets: list[dict[str, Any]],
    rejected: list[dict[str, Any]] | None = None,
    problems: list[dict[str, Any]] | None = None,
) -> InventoryCompleted:
    """An inventory of these assets."""
    rows = [{"asset_uid": uid(asset["name"]), "source_rows": "a.csv:2", **asset} for asset in assets]
    nothing = await stored(blobs, tenant, claim_checks.CONNECTIONS, [])
    quality = QualityReport(
        rows_read=len(rows),
        assets=len(rows),
        duplicates_merged=0,
        rows_rejected=0,
        completeness=1,
        validity=1,
        uniqueness=1,
        fields=[],
    )
    return InventoryCompleted(
        tenant=tenant,
        flow_id=flow_id,
        assets=await stored(blobs, tenant, claim_checks.ASSETS, rows),
        applications=nothing,
        connections=nothing,
        rejected_rows=await stored(blobs, tenant, claim_checks.REJECTED_ROWS, rejected or []),
        cell_problems=await stored(blobs, tenant, claim_checks.CELL_PROBLEMS, problems or []),
        asset_count=len(rows),
        application_count=0,
        connection_count=0,
        quality=quality,
        assets_by_environment={},
        assets_by_operating_system={},
    )


async def asset_lists(blobs: Blobs, tenant: Tenant) -> dict[str, BlobRef]:
    """What an inventory has beside the assets: a change, and a pair that might be one machine."""
    change = {"asset_uid": uid("a"), "name": "a", "change": "appeared"}
    pair = {"asset_uid": uid("a"), "other_uid": uid("b"), "name": "a", "other_name": "b", "probability": 0.7}
    return {
        "change_list": await stored(blobs, tenant, claim_checks.ASSET_CHANGES, [change]),
        "duplicates": await stored(blobs, tenant, claim_checks.DUPLICATES, [{**pair, "evidence": "e"}]),
    }


async def measured(blobs: Blobs, tenant: Tenant, flow_id: UUID) -> QualityCompleted:
    """The quality of an inventory: one figure, and one cell behind it."""
    figure = {"measure": "validity", "of": "memory_gb", "source": "a.csv", "good": 1, "total": 2}
    failure = {
        "measure": "validity",
        "of": "memory_gb",
        "source_rows": "a.csv:3",
        "value": "lots",
        "reason": "no number",
    }
    return QualityCompleted(
        tenant=tenant,
        flow_id=flow_id,
        figures=await stored(blobs, tenant, claim_checks.QUALITY_FIGURES, [figure]),
        failures=await stored(blobs, tenant, claim_checks.QUALITY_FAILURES, [failure]),
        readiness=[],
    )


async def dependencies(
    blobs: Blobs, tenant: Tenant, flow_id: UUID, applications: list[dict[str, Any]], pairs: list[dict[str, Any]]
) -> DependencyAnalysisCompleted:
    """Applications by name, and what depends on what by their names."""
    rows = [
        {"application_uid": uid(app["name"]), "asset_uids": [], "asset_count": 0, "inferred": False, **app}
        for app in applications
    ]
    links = [
        {
            "source_application_uid": uid(pair["source_name"]),
            "target_application_uid": uid(pair["target_name"]),
            "kind": "connection",
            "evidence": "seen",
            **pair,
        }
        for pair in pairs
    ]
    return DependencyAnalysisCompleted(
        tenant=tenant,
        flow_id=flow_id,
        applications=await stored(blobs, tenant, claim_checks.APPLICATIONS, rows),
        dependencies=await stored(blobs, tenant, claim_checks.DEPENDENCIES, links),
        application_count=len(rows),
        dependency_count=len(links),
    )


async def treatments(blobs: Blobs, tenant: Tenant, flow_id: UUID, strategies: dict[str, Any]) -> SixRCompleted:
    """The strategy of each application by name."""
    rows = [
        {
            "application_uid": uid(name),
            "name": name,
            "strategy": strategy,
            "confidence": 0.5,
            "rule": "r",
            "reason": "because",
            "risk": 0.1,
            "complexity": 0.2,
            "engine": "rules",
        }
        for name, strategy in strategies.items()
    ]
    return SixRCompleted(
        tenant=tenant,
        flow_id=flow_id,
        assessments=await stored(blobs, tenant, claim_checks.ASSESSMENTS, rows),
        application_count=len(rows),
        distribution={},
    )


def waves(tenant: Tenant, flow_id: UUID, names: list[str]) -> WavePlanningCompleted:
    """A plan of waves with these names."""
    plan = BlobRef(key="k", sha256="0", size_bytes=0, media_type="application/vnd.apache.parquet")
    planned = [
        Wave(
            number=number,
            name=name,
            application_ids=[uuid7()],
            application_names=[f"app {number}"],
            asset_count=number,
            risk=0.1,
            move_groups=1,
            reason="because",
        )
        for number, name in enumerate(names, start=1)
    ]
    return WavePlanningCompleted(tenant=tenant, flow_id=flow_id, plan=plan, waves=planned, unplanned={})
