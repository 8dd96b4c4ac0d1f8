"""What a learning would change, seen before it counts: the proposals for every saved table without it and with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.discovery import ColumnMapping, ColumnProfile, TableProfile
from contracts.learning import ColumnChange, Effect, TableEffect
from services.field_mapping.drift import renames
from services.field_mapping.matching import propose
from services.field_mapping.missing_fields import identify_missing_fields
from services.field_mapping.verdicts import Knowledge, taught_for

MOST_TABLES = 100


@dataclass(frozen=True, slots=True)
class SavedTable:
    """A table as it was imported last, enough to propose a mapping for it again."""

    mapping_id: UUID
    source_id: UUID
    source_name: str
    profile: TableProfile


def effect_of(tables: Iterable[SavedTable], before: Knowledge, after: Knowledge) -> Effect:
    """The difference that it makes to these tables to know `after` instead of `before`."""
    changed: list[TableEffect] = []
    saved = list(tables)
    versions: dict[UUID, list[Sequence[ColumnProfile]]] = {}
    for table in saved:
        versions.setdefault(table.source_id, []).append(table.profile.columns)
    for table in saved:
        columns = [column.name for column in table.profile.columns]
        drift = renames(table.profile.columns, versions[table.source_id])
        one, other = (
            taught_for(table.profile.kind, table.source_id, drift, known, columns) for known in (before, after)
        )
        if one == other:
            continue
        was, becomes = propose(table.profile, one), propose(table.profile, other)
        pairs = zip(was.columns, becomes.columns, strict=True)
        changes = [_change(old, new) for old, new in pairs if _says(old) != _says(new)]
        if changes:
            changed.append(
                TableEffect(
                    mapping_id=table.mapping_id,
                    source_name=table.source_name,
                    columns=changes,
                    missing_before=identify_missing_fields(was),
                    missing_after=identify_missing_fields(becomes),
                )
            )
    return Effect(tables_looked_at=len(saved), tables_changed=changed[:MOST_TABLES])


def _says(column: ColumnMapping) -> tuple[str | None, ...]:
    return column.field, column.status, column.unit


def _change(old: ColumnMapping, new: ColumnMapping) -> ColumnChange:
    return ColumnChange(
        column=old.column,
        field_before=old.field,
        status_before=old.status,
        field_after=new.field,
        status_after=new.status,
        unit_before=old.unit,
        unit_after=new.unit,
    )
