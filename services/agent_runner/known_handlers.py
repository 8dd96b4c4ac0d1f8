"""What tools of agents look up, kept as it is told: the newest inventory, decisions, and what was taught."""

from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import InventoryCompleted
from contracts.flows import ApprovalDecided
from contracts.learning import FieldMappingLearned
from services.agent_runner.handlers import service
from services.agent_runner.tables import DecidedTask, Inventory, TaughtLesson
from services.chassis.inventory_sealing import is_sealed
from services.chassis.sealed_rows import sealed_row, vault_of

_TENANT = ["client_account_id", "engagement_id"]
# What people changed at a gate is short; what is longer nobody shows to a model.
LONGEST_EDITS = 20_000


@service.on
async def keep_inventory(event: InventoryCompleted, session: AsyncSession) -> None:
    """Know where the newest assets of the engagement lie, in whatever order inventories are told."""
    row = {"flow_id": event.flow_id, "assets": event.assets.model_dump(mode="json"), "completed_at": event.time}
    statement = insert(Inventory).values(row)
    newer = Inventory.completed_at < statement.excluded.completed_at
    await session.execute(statement.on_conflict_do_update(index_elements=_TENANT, set_=row, where=newer))


async def keep_decision(event: ApprovalDecided, session: AsyncSession) -> None:
    """Know what people decided; the first decision on a task is the one that counts."""
    short = len(event.model_dump_json(include={"edits"})) <= LONGEST_EDITS
    row: dict[str, Any] = {
        "task_id": event.task_id,
        "flow_id": event.flow_id,
        "kind": event.kind,
        "decision": event.decision,
        "comment": event.comment,
        "edits": event.edits if short else {},
        "decided_at": event.time,
    }
    if await is_sealed(session, service.metadata, event.tenant):
        row = sealed_row(vault_of(session), event.tenant, cast(Table, DecidedTask.__table__), row)
    await session.execute(insert(DecidedTask).values(row).on_conflict_do_nothing())


async def keep_lessons(event: FieldMappingLearned, session: AsyncSession) -> None:
    """Know which lessons count since this change, in whatever order changes are told."""
    said = {"lesson_id", "source_id", "column", "verdict", "field", "unit"}
    added: list[dict[str, Any]] = [
        {**lesson.model_dump(include=said), "how": lesson.origin.how, "in_force": True, "revision": event.revision}
        for lesson in event.added
    ]
    gone = {"source_id": None, "column": "", "verdict": "", "field": None, "unit": None, "how": ""}
    # Also of one that was not told of yet: it must not begin to count when it is.
    removed = [{"lesson_id": each, **gone, "in_force": False, "revision": event.revision} for each in event.removed]
    await _keep_newer(session, added, [*gone, "in_force", "revision"])
    await _keep_newer(session, removed, ["in_force", "revision"])


async def _keep_newer(session: AsyncSession, rows: list[dict[str, Any]], anew: list[str]) -> None:
    """Keep these lessons; of those that are known take over `anew`, where the news are newer."""
    if not rows:
        return
    statement = insert(TaughtLesson)
    newer = TaughtLesson.revision < statement.excluded.revision
    news = {name: statement.excluded[name] for name in anew}
    upsert = statement.on_conflict_do_update(index_elements=[*_TENANT, "lesson_id"], set_=news, where=newer)
    await (await session.connection()).execute(upsert, rows)
