"""What waits for a person, and the person's decision."""

from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.catalog import CATALOG, CONNECTION_FIELDS, units_of
from contracts.flows import ApprovalDecided, ApprovalEdited
from contracts.forms import ColumnEdit, NoEdits, column_edit, form_of, form_schema
from contracts.readiness import READABLE_CELLS, USABLE_ROWS
from services.chassis.errors import Conflict, ExpectedFailure, NotFound
from services.gateway.duties import check_duties, note_edit, separated
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.routes.access import Reading, emit
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
async def decide(task_id: UUID, body: rest.ApprovalDecisionBody, caller: Caller, once: Creating) -> rest.ApprovalView:
    """Approve, edit what is approved, or reject. The first valid decision wins; later ones get 409.

    Where `separation_of_duties` is configured, edits wait for the approval of somebody else, and who edited (here, by
    learnings, by fields of the engagement's own) may not approve: 403 says who may.
    """
    now = datetime.now(UTC)
    async with once.transaction() as session:
        task = await _task(session, task_id, lock=True)
        check_open(task.status, now, task.expires_at, task.decided_by, task.withdrawn_reason)
        edits = checked_edits(task.kind, body)
        check_comment(task.kind, body)
        check_edits(task.kind, task.details, edits, await own_field_ids(session))
        if body.decision != "reject" and await separated(session, caller):
            if edits:
                await _leave_to_another(session, caller, task, edits)
                return once.keep(_view(task, await own_field_ids(session)))
            await check_duties(session, caller, task)
        waiting = None if body.decision == "reject" or edits else task.edits
        task.status = "rejected" if body.decision == "reject" else "approved"
        task.decided_by, task.decided_at, task.comment = caller.name, now, body.comment
        task.decided_by_subject = caller.subject
        if edits:
            await note_edit(session, caller, task.kind, "edits at the gate", str(task_id))
        decision = ApprovalDecided(
            tenant=caller.tenant,
            flow_id=task.flow_id,
            task_id=task_id,
            kind=task.kind,
            decision="reject" if body.decision == "reject" else "approve",
            edits=waiting or edits,
            decided_by=caller.name,
            comment=body.comment,
            decided_by_subject=caller.subject,
            edited_by=task.edited_by if waiting else None,
        )
        await emit(session, decision)
        return once.keep(_view(task, await own_field_ids(session)))


async def _leave_to_another(session: AsyncSession, caller: Principal, task: Approval, edits: dict[str, Any]) -> None:
    task.edits, task.edited_by = edits, caller.name
    await note_edit(session, caller, task.kind, "edits at the gate", str(task.task_id))
    edited = ApprovalEdited(
        tenant=caller.tenant,
        flow_id=task.flow_id,
        task_id=task.task_id,
        kind=task.kind,
        edits=edits,
        edited_by=caller.subject,
        edited_by_name=caller.name,
    )
    await emit(session, edited)


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


def check_comment(kind: str, body: rest.ApprovalDecisionBody) -> None:
    """Raise `ExpectedFailure` where somebody goes on with data that is not ready and does not say why."""
    if kind == "readiness" and body.decision != "reject" and not (body.comment or "").strip():
        raise ExpectedFailure(
            "comment_missing", "To go on although the data is not ready, say why in `comment`: it is kept on record."
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
    if issubclass(form, NoEdits):
        raise ExpectedFailure(
            "edits_not_possible", f"A task of the kind {kind} can be approved or rejected, not edited."
        )
    try:
        edits: dict[str, Any] = form.model_validate(body.edits).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        first = error.errors()[0]
        # Table and column; what follows tells of the alternatives of the form.
        place = ".".join(["edits", *map(str, first["loc"][:2])]).removesuffix(".[key]")
        raise ExpectedFailure("invalid_edits", f"{place}: {first['msg']}.") from error
    return edits


def check_edits(
    kind: str, details: dict[str, Any], edits: dict[str, Any], own_fields: frozenset[str] = frozenset()
) -> None:
    """Raise `ExpectedFailure` naming the table, column or field of a mapping that does not exist."""
    if kind != "field_mapping":
        return
    tables = {mapping["table_id"]: mapping for mapping in details.get("mappings", [])}
    for table_id, changes in edits.items():
        if table_id not in tables:
            raise ExpectedFailure("unknown_table", f"This task has no table {table_id}.")
        connections = tables[table_id].get("kind") == "connections"
        known = CONNECTION_FIELDS.keys() if connections else CATALOG.keys() | own_fields
        proposed = {column["column"]: column.get("field") for column in tables[table_id]["columns"]}
        for column, given in changes.items():
            if column not in proposed:
                raise ExpectedFailure(
                    "unknown_column", f"The table {table_id} has no column {column!r}.", column=column
                )
            _check_column(column, column_edit(given), proposed[column], known)


def _check_column(column: str, edit: ColumnEdit, proposed: str | None, known: Collection[str]) -> None:
    """Raise `ExpectedFailure` for a field that such a table does not have, or a unit that the field is not in."""
    if edit.field is not None and edit.field not in known:
        names = f" A table of connections has {', '.join(known)}." if "target" in known else ""
        raise ExpectedFailure("unknown_field", f"There is no canonical field {edit.field!r}.{names}", column=column)
    field = edit.field if edit.maps else proposed
    if edit.unit is not None and edit.unit not in units_of(field):
        possible = ", ".join(units_of(field)) or "none"
        detail = f"{edit.unit!r} is no unit of {field or 'a column that is left out'}. It may be in: {possible}."
        raise ExpectedFailure("unknown_unit", detail, column=column)


def _view(task: Approval, own_fields: frozenset[str]) -> rest.ApprovalView:
    view = rest.ApprovalView.model_validate(task)
    details = view.details if task.kind != "readiness" else _with_lists(view.details)
    return view.model_copy(update={"form": _schema_of(task.kind, own_fields), "details": details})


def _with_lists(details: dict[str, Any]) -> dict[str, Any]:
    """What is not ready, each figure with the place that lists all that it misses."""
    phases = [
        {**phase, "failures": [{**low, "listed": _listed(low["of"], phase["flow_id"])} for low in phase["failures"]]}
        for phase in details["phases"]
    ]
    return {**details, "phases": phases}


def _listed(figure: str, flow_id: str) -> str:
    name = {USABLE_ROWS: "rejected-rows", READABLE_CELLS: "cell-problems"}.get(figure)
    return f"/api/v1/{name}?flow_id={flow_id}" if name else f"/api/v1/assets?flow_id={flow_id}&missing={figure}"


@lru_cache(maxsize=256)
def _schema_of(kind: str, own_fields: frozenset[str]) -> dict[str, Any]:
    return form_schema(kind, own_fields)


async def _task(session: AsyncSession, task_id: UUID, *, lock: bool = False) -> Approval:
    statement = select(Approval).where(Approval.task_id == task_id)
    task = await session.scalar(statement.with_for_update() if lock else statement)
    if task is None:
        raise NotFound("task_not_found", f"There is no task {task_id} in this engagement.")
    return task
