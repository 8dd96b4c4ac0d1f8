"""The fields that columns can be mapped to: the canonical ones, and those that a tenant adds."""

import re
import unicodedata
from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.catalog import CATALOG
from contracts.learning import OWN_PREFIX, OwnField, OwnFieldDeleted, OwnFieldSaved
from contracts.rest import Page
from contracts.rest_learning import FieldView, OwnFieldBody, OwnFieldCreate
from services.chassis.errors import Conflict, ExpectedFailure, NotFound
from services.gateway.duties import MAPPING, note_edit
from services.gateway.idempotency import Creating
from services.gateway.principal import Caller, Principal
from services.gateway.read_model.learning_tables import OwnFieldRow
from services.gateway.routes.access import Gateway, Reading, emit

router = APIRouter(tags=["fields"])

MOST_OWN_FIELDS = 500


@router.get("/fields")
async def list_fields(session: Reading) -> Page[FieldView]:
    """All fields, the canonical ones first; a single page."""
    canonical = [
        FieldView(field_id=each.id, label=each.label, type=each.type, unit=each.unit, importance=each.importance)
        for each in CATALOG.values()
    ]
    rows = await session.scalars(select(OwnFieldRow).order_by(OwnFieldRow.field_id))
    return Page(items=[*canonical, *(_view(row) for row in rows)])


@router.post("/fields", status_code=201)
async def create_field(body: OwnFieldCreate, caller: Caller, once: Creating) -> FieldView:
    """Add a field of this engagement's own: columns with its label or its names are mapped to it from now on."""
    field_id = body.field_id or field_id_of(body.label)
    async with once.transaction() as session:
        if await session.scalar(select(OwnFieldRow).where(OwnFieldRow.field_id == field_id)) is not None:
            raise Conflict("field_exists", f"There is a field {field_id} already. Change it, or choose another id.")
        if len(await own_field_ids(session)) >= MOST_OWN_FIELDS:
            raise Conflict("too_many_fields", f"An engagement has at most {MOST_OWN_FIELDS} fields of its own.")
        return once.keep(await save_field(session, caller, _field(field_id, body)))


@router.put("/fields/{field_id}")
async def replace_field(field_id: str, body: OwnFieldBody, caller: Caller, gateway: Gateway) -> FieldView:
    """Change a field of this engagement's own. Canonical fields cannot be changed."""
    async with gateway.database.transaction(caller.tenant) as session:
        await _own_field(session, field_id)
        view = await save_field(session, caller, _field(field_id, body))
    gateway.committed()
    return view


@router.delete("/fields/{field_id}")
async def delete_field(field_id: str, caller: Caller, gateway: Gateway) -> FieldView:
    """Propose a field of this engagement's own no more; what assets have of it stays. Returns it as it was."""
    async with gateway.database.transaction(caller.tenant) as session:
        view = _view(await _own_field(session, field_id))
        await session.execute(delete(OwnFieldRow).where(OwnFieldRow.field_id == field_id))
        await note_edit(session, caller, MAPPING, f"the field {field_id}")
        await emit(session, OwnFieldDeleted(tenant=caller.tenant, field_id=field_id, deleted_by=caller.name))
    gateway.committed()
    return view


async def save_field(
    session: AsyncSession, caller: Principal, field: OwnField, learning_id: UUID | None = None
) -> FieldView:
    """Write a field and tell of it with this transaction; `learning_id`: the document that it comes with."""
    row = {
        "field_id": field.field_id,
        "field": field.model_dump(mode="json"),
        "learning_id": learning_id,
        "saved_by": caller.name,
        "saved_at": datetime.now(UTC),
    }
    key = ["client_account_id", "engagement_id", "field_id"]
    statement = insert(OwnFieldRow).values(row).on_conflict_do_update(index_elements=key, set_=row)
    await session.execute(statement)
    await note_edit(session, caller, MAPPING, f"the field {field.field_id}")
    await emit(session, OwnFieldSaved(tenant=caller.tenant, field=field, saved_by=caller.name))
    return FieldView(**field.model_dump(), own=True, saved_by=caller.name, saved_at=row["saved_at"])


async def own_field_ids(session: AsyncSession) -> frozenset[str]:
    """Ids of the tenant's own fields."""
    return frozenset(await session.scalars(select(OwnFieldRow.field_id)))


def field_id_of(label: str) -> str:
    """'own_backup_policy' for the label 'Backup policy'; raises `ExpectedFailure` for a label without letters."""
    plain = unicodedata.normalize("NFKD", label.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    if not words:
        raise ExpectedFailure("no_field_id", f"The label {label!r} has no letter of A to Z: give a field_id, too.")
    return (OWN_PREFIX + "_".join(words))[:60].rstrip("_")


def _field(field_id: str, body: OwnFieldBody) -> OwnField:
    return OwnField(field_id=field_id, **body.model_dump(include=set(OwnFieldBody.model_fields)))


def _view(row: OwnFieldRow) -> FieldView:
    return FieldView(**row.field, own=True, saved_by=row.saved_by, saved_at=row.saved_at)


async def _own_field(session: AsyncSession, field_id: str) -> OwnFieldRow:
    if field_id in CATALOG:
        raise Conflict("canonical_field", f"{field_id} is a canonical field: it can be neither changed nor deleted.")
    row = await session.scalar(select(OwnFieldRow).where(OwnFieldRow.field_id == field_id).with_for_update())
    if row is None:
        raise NotFound("field_not_found", f"There is no field {field_id} of this engagement's own.")
    return row
