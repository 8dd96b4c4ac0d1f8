"""What a tenant taught, read from its tables and written to them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import ColumnMapping, InventoryRequested, TableMapping, TableProfile
from contracts.envelope import BlobRef, Event
from contracts.learning import FieldMappingLearned, Learning, LearningDecided, MappingSaved, OwnField
from services.chassis.sealed_rows import sealed_row, vault_of
from services.field_mapping.effects import SavedTable
from services.field_mapping.learned import difference, lessons_in_force
from services.field_mapping.learning_tables import LearningRow, OwnFieldRow, Proposal, SavedMapping
from services.field_mapping.missing_fields import missing_by_asset_type
from services.field_mapping.sources import KnownHeader, file_family, header_keys, mapping_id_of
from services.field_mapping.verdicts import Knowledge

_NOT_IMPORTED = "It is known from a document; no file with it was imported yet."
_TENANT = ["client_account_id", "engagement_id"]
_LOCK = text("select pg_advisory_xact_lock(hashtextextended('learnings' || current_setting('app.engagement_id'), 0))")


def learning_of(row: LearningRow) -> Learning:
    """A learning as its row holds it."""
    names = ("learning_id", "status", "origin", "lessons", "forgets", "effect")
    return Learning.model_validate({name: getattr(row, name) for name in names})


async def applied_learnings(session: AsyncSession) -> list[Learning]:
    """The learnings that count, in the order in which they were applied."""
    statement = select(LearningRow).where(LearningRow.status == "applied").order_by(LearningRow.position)
    return [learning_of(row) for row in await session.scalars(statement)]


async def read_knowledge(session: AsyncSession) -> Knowledge:
    """All that counts for the tenant."""
    own = await session.scalars(select(OwnFieldRow.field).where(OwnFieldRow.field.isnot(None)))
    names = await session.execute(select(SavedMapping.source_id, SavedMapping.source_name))
    return Knowledge(
        lessons=lessons_in_force(await applied_learnings(session)),
        own_fields=[OwnField.model_validate(field) for field in own],
        source_names={row.source_id: row.source_name for row in names},
    )


async def read_own_types(session: AsyncSession) -> dict[str, str]:
    """The types of the tenant's own fields; of one that was deleted meanwhile the values are kept as text."""
    rows = await session.execute(select(OwnFieldRow.field_id, OwnFieldRow.field))
    return {row.field_id: row.field["type"] if row.field else "string" for row in rows}


async def read_headers(session: AsyncSession, kinds: Iterable[tuple[str, str]] | None = None) -> list[KnownHeader]:
    """The known headers, all or those of these kinds of table and families of files."""
    statement = select(SavedMapping)
    if kinds is not None:
        statement = statement.where(tuple_(SavedMapping.kind, SavedMapping.family).in_(sorted(set(kinds))))
    return [
        KnownHeader(
            row.mapping_id, row.source_id, row.source_name, row.kind, row.family,
            TableProfile.model_validate(row.profile).columns,
        )
        for row in await session.scalars(statement)
    ]  # fmt: skip


async def read_saved_tables(session: AsyncSession) -> list[SavedTable]:
    """Every table that was imported, as it was last; headers that only came with a document have no values to see."""
    rows = await session.scalars(select(SavedMapping).where(SavedMapping.flow_id.isnot(None)))
    return [
        SavedTable(row.mapping_id, row.source_id, row.source_name, TableProfile.model_validate(row.profile))
        for row in rows
    ]


async def keep_proposals(session: AsyncSession, flow_id: UUID | None, mappings: Sequence[TableMapping]) -> None:
    """Remember what a flow's tables were proposed to mean, in place of what was proposed before."""
    await session.execute(delete(Proposal).where(Proposal.flow_id == flow_id))
    rows = [
        {"flow_id": flow_id, "table_id": mapping.table_id, "mapping": mapping.model_dump(mode="json")}
        for mapping in mappings
    ]
    await session.execute(insert(Proposal), rows)


async def save_mappings(
    session: AsyncSession, event: InventoryRequested, tables: Iterable[TableProfile], *, sealed: bool
) -> list[MappingSaved]:
    """Remember how the tables of a flow are mapped, so that the next import of their sources is recognised."""
    profiles = {table.table_id: table for table in tables}
    saved: dict[UUID, MappingSaved] = {}
    for mapping in event.mappings:
        profile = profiles[mapping.table_id]
        family = file_family(profile.file_name, profile.sheet)
        mapping_id = mapping_id_of(profile.kind, family, header_keys(column.name for column in profile.columns))
        row: dict[str, Any] = {
            "mapping_id": mapping_id,
            "source_id": mapping.source.source_id if mapping.source else mapping_id,
            "source_name": mapping.source.name if mapping.source else profile.file_name,
            "kind": profile.kind,
            "family": family,
            "profile": profile.model_dump(mode="json"),
            "columns": [column.model_dump(mode="json") for column in mapping.columns],
            "flow_id": event.flow_id,
            "saved_at": datetime.now(UTC),
        }
        if sealed:
            row = sealed_row(vault_of(session), event.tenant, cast(Table, SavedMapping.__table__), row)
        newest = {name: row.get(name) for name in ("profile", "columns", "flow_id", "saved_at", "sealed")}
        statement = insert(SavedMapping).values(row)
        statement = statement.on_conflict_do_update(index_elements=[*_TENANT, "mapping_id"], set_=newest)
        kept = (await session.execute(statement.returning(SavedMapping.source_id, SavedMapping.source_name))).one()
        saved[mapping_id] = MappingSaved.reply_to(
            event,
            mapping_id=mapping_id,
            source_id=kept.source_id,
            source_name=kept.source_name,
            kind=profile.kind,
            family=family,
            file_name=profile.file_name,
            sheet=profile.sheet,
            columns=mapping.columns,
            drift=mapping.source.drift if mapping.source else [],
            decided=True,
            missing_fields=missing_by_asset_type(mapping),
        )
    return list(saved.values())


async def save_headers(
    session: AsyncSession, event: LearningDecided, headers: Iterable[KnownHeader]
) -> list[MappingSaved]:
    """Recognise headers that came with a document; those that are known already stay as they are."""
    saved = []
    for header in headers:
        profile = TableProfile(
            table_id=header.mapping_id,
            import_id=event.learning_id,
            file_name=header.source_name,
            kind=header.kind,
            header_row=1,
            row_count=0,
            columns=list(header.columns),
            rows=BlobRef(key="", sha256="", size_bytes=0, media_type=""),
        )
        columns = [
            ColumnMapping(column=column.name, field=None, confidence=0, status="unmapped", reason=_NOT_IMPORTED)
            for column in header.columns
        ]
        row = {
            **{name: getattr(header, name) for name in ("mapping_id", "source_id", "source_name", "kind", "family")},
            "profile": profile.model_dump(mode="json"),
            "columns": [column.model_dump(mode="json") for column in columns],
            "learning_id": event.learning_id,
            "saved_at": event.time,
        }
        statement = insert(SavedMapping).values(row).on_conflict_do_nothing().returning(SavedMapping.mapping_id)
        if await session.scalar(statement) is not None:
            about = {name: row[name] for name in ("mapping_id", "source_id", "source_name", "kind", "family")}
            saved.append(
                MappingSaved.reply_to(event, **about, file_name=header.source_name, columns=columns, decided=False)
            )
    return saved


async def change(session: AsyncSession, cause: Event, learning: Learning) -> FieldMappingLearned:
    """Write a learning that was applied or undone, and tell which lessons count now that did not, and the reverse."""
    await session.execute(_LOCK)
    learnings = await applied_learnings(session)
    after = [*(each for each in learnings if each.learning_id != learning.learning_id), learning]
    revision = 1 + (await session.scalar(select(func.max(LearningRow.revision))) or 0)
    row = {
        "learning_id": learning.learning_id,
        **learning.model_dump(mode="json", include={"status", "origin", "lessons", "forgets", "effect"}),
        "revision": revision,
        **({"position": revision} if learning.status == "applied" else {}),
    }
    statement = insert(LearningRow).values(row)
    await session.execute(statement.on_conflict_do_update(index_elements=[*_TENANT, "learning_id"], set_=row))
    added, removed = difference(lessons_in_force(learnings), lessons_in_force(after))
    return FieldMappingLearned.reply_to(cause, learning=learning, revision=revision, added=added, removed=removed)
