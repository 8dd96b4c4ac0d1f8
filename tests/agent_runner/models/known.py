"""What tenants of these tests know: an inventory, dependencies, decisions and lessons, each with a mark of its own."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from contracts.envelope import Tenant
from contracts.flows import ApprovalDecided
from contracts.learning import FieldMappingLearned, Learning, Lesson, Origin
from services.agent_runner.known_handlers import keep_decision, keep_inventory, keep_lessons
from services.agent_runner.tables import Analysis
from tests.agent_runner.models.conftest import Platform
from tests.gateway.estate import dependencies, inventory

# One call of each tool, and an agent that has it.
CALLS: dict[str, dict[str, Any]] = {
    "look_up_assets": {"name": "WEB01"},
    "look_up_dependencies": {"application": "shop"},
    "past_decisions": {"kind": "wave_plan"},
    "query_field_mappings": {"column": "ram (gb)"},
    "analyse_field_mappings": {"column": "ram"},
    "propose_field_mapping": {"column": "RAM_GB", "field": "memory_gb", "reason": "All sources call it so."},
}


async def know(platform: Platform, tenant: Tenant, mark: str) -> None:
    """Let a tenant know one thing of each kind, named as every other tenant's, with this mark in it."""
    blobs, flow_id = platform.runtime.blobs, uuid4()
    assets = [{"name": "web01", "hostname": "web01", "server_role": mark}, {"name": "db01", "hostname": "db01"}]
    found = await inventory(blobs, tenant, flow_id, assets)
    pair = {"source_name": "Shop", "target_name": "Ledger", "observations": 7, "evidence": f"seen by {mark}"}
    analysed = await dependencies(blobs, tenant, flow_id, [], [pair])
    decided = decision(tenant, comment=f"said {mark}")
    async with platform.runtime.database.transaction(tenant) as session:
        await keep_inventory(found, session)
        await keep_decision(decided, session)
        await keep_lessons(learned(tenant, lesson("RAM_GB", f"own_{mark.lower()}")), session)
        refs = {"dependencies": analysed.dependencies.model_dump(mode="json")}
        session.add(Analysis(flow_id=flow_id, kind="dependency_analysis", engine="rules", outputs=refs))


def decision(tenant: Tenant, **about: Any) -> ApprovalDecided:
    """What somebody decided about a wave plan."""
    given = {"task_id": uuid4(), "kind": "wave_plan", "decision": "approve", "decided_by": "ann", **about}
    return ApprovalDecided(tenant=tenant, flow_id=uuid4(), **given)


def lesson(column: str, field: str | None, how: str = "correction", source_id: UUID | None = None) -> Lesson:
    """What somebody taught about a column."""
    origin = Origin(how=how, by="ann", at=datetime.now(UTC))
    return Lesson(lesson_id=uuid4(), column=column, field=field, source_id=source_id, origin=origin)


def learned(tenant: Tenant, *added: Lesson, removed: tuple[UUID, ...] = (), revision: int = 1) -> FieldMappingLearned:
    """A change of what counts."""
    origin = Origin(how="lesson", by="ann", at=datetime.now(UTC))
    learning = Learning(learning_id=uuid4(), status="applied", origin=origin)
    return FieldMappingLearned(
        tenant=tenant, learning=learning, revision=revision, added=list(added), removed=list(removed)
    )
