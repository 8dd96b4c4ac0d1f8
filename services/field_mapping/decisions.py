"""What a person's decision on a proposed mapping teaches: the doubtful columns that stood, and those changed."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from contracts.discovery import TableMapping
from contracts.learning import Teaching

Taught = tuple[UUID | None, Teaching]


def confirmed(proposed: Iterable[TableMapping], edits: Mapping[str, Mapping[str, str | None]]) -> list[Taught]:
    """What was doubtful and left as proposed by a person who was asked about it, for its source."""
    return [
        (table.source.source_id, Teaching(column=column.column, field=column.field))
        for table in proposed
        if table.source is not None
        for column in table.columns
        if column.status == "review" and column.column not in edits.get(str(table.table_id), {})
    ]


def corrected(proposed: Iterable[TableMapping], edits: Mapping[str, Mapping[str, str | None]]) -> list[Taught]:
    """What a person changed, for its source; `edits` is {table_id: {column: field id or None}}."""
    tables = {str(table.table_id): table for table in proposed}
    return [
        (table.source.source_id, Teaching(column=column, field=field))
        for table_id, changes in edits.items()
        if (table := tables.get(table_id)) is not None and table.source is not None
        for column, field in changes.items()
        if column in {known.column for known in table.columns}
    ]
