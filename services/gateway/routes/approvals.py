"""What waits for a person, and the person's decision."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.catalog import CATALOG
from contracts.flows import ApprovalDecided
from contracts.forms import NoEdits, form_of, form_schema
from services.chassis.errors import Conflict, ExpectedFailure, NotFound
from services.gateway.keys import Caller
from services.gateway.pagination import Page
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.fields import own_field_ids
from services.gateway.tables import Approval

router = APIRouter(prefix="/approvals", tags=["approvals"])


@router.get("")
async def list_approvals(
    session: Reading,
    page: Page,
    status: Annotated[rest.ApprovalStatus | None, Query()] = "pending",
    flow_id: Annotated[UUID | None, Query()] = None,
) -> rest.Page[rest.ApprovalView]:
    """Tasks for people, those to decide unless asked otherwise."""
    statement = select(Approval).where(Approval.status == status)
    if flow_id is not None:
        statement = statement.where(Approval.flow_id == flow_id)
    rows, cursor = await page.fetch(session, statement, Approval.task_id)
    own_fields = await own_field_ids(session)
    return rest.Page(items=[_view(row, own_fields) for row in rows], next_cursor=cursor)


@router.get("/{task_id}")
async def show_approval(task_id: UUID, session: Reading) -> rest.ApprovalView:
    """One task with everything that is needed to decide it, the form of its edits included."""
    return _view(await _task(session, task_id), await own_field_ids(session))


@router.post("/{task_id}/decision", max_body_size=4 * 1024**2)
async def decide(task_id: UUID, body: rest.ApprovalDecisionBody, caller: Caller, gateway: Gateway) -> rest.ApprovalView:
    """Approve, edit what is approved, or reject. The first valid decision wins; later ones get 409."""
    now = datetime.now(UTC)
    async with gateway.database.transaction(caller.tenant) as session:
        task = await _task(session, task_id, lock=True)
        check_open(task.status, now, task.expires_at, task.decided_by, task.withdrawn_reason)
        edits = checked_edits(task.kind, body)
        check_edits(task.kind, task.details, edits, await own_field_ids(session))
        task.status = "rejected" if body.decision == "reject" else "approved"
        task.decided_by, task.decided_at, task.comment = caller.name, now, body.comment
        decision = ApprovalDecided(
            tenant=caller.tenant,
            flow_id=task.flow_id,
            task_id=task_id,
            kind=task.kind,
            decision="reject" if body.decision == "reject" else "approve",
            edits=edits,
            decided_by=caller.name,
            comment=body.comment,
        )
        await emit(session, decision)
        view = _view(task, await own_field_ids(session))
    gateway.committed()
    return view


def check_open(
    status: str, now: datetime, expires_at: datetime | None, decided_by: str | None, withdrawn_reason: str | None
) -> None:
    """Raise `Conflict` that says why the task cannot be decided any more."""
    if status == "withdrawn":
        raise Conflict("task_withdrawn", f"This task is not to be decided any more: {withdrawn_reason}")
    if status != "pending":
        raise Conflict("already_decided", f"This task was {status} by {decided_by} before.")
    if expires_at is not None and expires_at <= now:
        raise Conflict(
            "task_expired",
            f"This task could be decided until {expires_at:%Y-%m-%d %H:%M} UTC. Retry its flow to be asked again.",
        )


def checked_edits(kind: str, body: rest.ApprovalDecisionBody) -> dict[str, Any]:
    """The edits as the form of this kind of task writes them; raises `ExpectedFailure` naming the place."""
    if not body.edits:
        if body.decision == "edit":
            raise ExpectedFailure("edits_missing", "To edit is to approve with `edits`, and there are none.")
        return {}
    form = form_of(kind)
    if body.decision == "reject":
        raise ExpectedFailure(
            "edits_not_possible", "Edits change what is approved, so they do not go with a rejection."
        )
    if form is NoEdits:
        raise ExpectedFailure(
            "edits_not_possible", f"A task of the kind {kind} can be approved or rejected, not edited."
        )
    try:
        edits: dict[str, Any] = form.model_validate(body.edits).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["edits", *map(str, first["loc"])]).removesuffix(".[key]")
        raise ExpectedFailure("invalid_edits", f"{place}: {first['msg']}.") from error
    return edits


def check_edits(
    kind: str, details: dict[str, Any], edits: dict[str, Any], own_fields: frozenset[str] = frozenset()
) -> None:
    """Raise `ExpectedFailure` naming the table, column or field of a mapping that does not exist."""
    if kind != "field_mapping":
        return
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
            if field is not None and field not in CATALOG and field not in own_fields:
                raise ExpectedFailure("unknown_field", f"There is no canonical field {field!r}.", column=column)


def _view(task: Approval, own_fields: frozenset[str]) -> rest.ApprovalView:
    view = rest.ApprovalView.model_validate(task)
    return view.model_copy(update={"form": _schema_of(task.kind, own_fields)})


@lru_cache(maxsize=256)
def _schema_of(kind: str, own_fields: frozenset[str]) -> dict[str, Any]:
    return form_schema(kind, own_fields)


async def _task(session: AsyncSession, task_id: UUID, *, lock: bool = False) -> Approval:
    statement = select(Approval).where(Approval.task_id == task_id)
    task = await session.scalar(statement.with_for_update() if lock else statement)
    if task is None:
        raise NotFound("task_not_found", f"There is no task {task_id} in this engagement.")
    return task
