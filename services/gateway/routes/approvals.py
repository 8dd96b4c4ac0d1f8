"""What waits for a person, and the person's decision."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.catalog import CATALOG
from contracts.flows import ApprovalDecided
from services.chassis.errors import Conflict, ExpectedFailure, NotFound
from services.gateway.keys import Caller
from services.gateway.pagination import Page
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.tables import Approval

router = APIRouter(prefix="/approvals", tags=["approvals"])


@router.get("")
async def list_approvals(
    session: Reading,
    page: Page,
    status: Annotated[Literal["pending", "approved", "rejected"] | None, Query()] = "pending",
    flow_id: Annotated[UUID | None, Query()] = None,
) -> rest.Page[rest.ApprovalView]:
    """Tasks for people, those to decide unless asked otherwise."""
    statement = select(Approval).where(Approval.status == status)
    if flow_id is not None:
        statement = statement.where(Approval.flow_id == flow_id)
    rows, cursor = await page.fetch(session, statement, Approval.task_id)
    return rest.Page(items=[rest.ApprovalView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/{task_id}")
async def show_approval(task_id: UUID, session: Reading) -> rest.ApprovalView:
    """One task with everything that is needed to decide it."""
    return rest.ApprovalView.model_validate(await _task(session, task_id))


@router.post("/{task_id}/decision", max_body_size=4 * 1024**2)
async def decide(task_id: UUID, body: rest.ApprovalDecisionBody, caller: Caller, gateway: Gateway) -> rest.ApprovalView:
    """Approve, approve with edits, or reject. The first valid decision wins; later ones get 409."""
    async with gateway.database.transaction(caller.tenant) as session:
        task = await _task(session, task_id, lock=True)
        if task.status != "pending":
            raise Conflict("already_decided", f"This task was {task.status} by {task.decided_by} before.")
        check_edits(task.kind, task.details, body.edits)
        task.status = "approved" if body.decision == "approve" else "rejected"
        task.decided_by, task.decided_at, task.comment = caller.name, datetime.now(UTC), body.comment
        decision = ApprovalDecided(
            tenant=caller.tenant,
            flow_id=task.flow_id,
            task_id=task_id,
            kind=task.kind,
            decision=body.decision,
            edits=body.edits,
            decided_by=caller.name,
            comment=body.comment,
        )
        await emit(session, decision)
        view = rest.ApprovalView.model_validate(task)
    gateway.committed()
    return view


def check_edits(kind: str, details: dict[str, Any], edits: dict[str, dict[str, str | None]]) -> None:
    """Raise `ExpectedFailure` naming the table, column or field that does not exist."""
    if edits and kind != "field_mapping":
        raise ExpectedFailure(
            "edits_not_possible", f"A task of the kind {kind} can be approved or rejected, not edited."
        )
    columns = {
        mapping["table_id"]: {column["column"] for column in mapping["columns"]}
        for mapping in details.get("mappings", [])
    }
    for table_id, changes in edits.items():
        if table_id not in columns:
            raise ExpectedFailure("unknown_table", f"This task has no table {table_id}.")
        for column, field in changes.items():
            if column not in columns[table_id]:
                raise ExpectedFailure(
                    "unknown_column", f"The table {table_id} has no column {column!r}.", column=column
                )
            if field is not None and field not in CATALOG:
                raise ExpectedFailure("unknown_field", f"There is no canonical field {field!r}.", column=column)


async def _task(session: AsyncSession, task_id: UUID, *, lock: bool = False) -> Approval:
    statement = select(Approval).where(Approval.task_id == task_id)
    task = await session.scalar(statement.with_for_update() if lock else statement)
    if task is None:
        raise NotFound("task_not_found", f"There is no task {task_id} in this engagement.")
    return task
