"""What a person's decision on a proposed mapping teaches: the doubtful columns that stood, and those changed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from contracts.discovery import TableMapping
from contracts.forms import column_edit
from contracts.learning import Teaching

Taught = tuple[UUID | None, Teaching]


def confirmed(proposed: Iterable[TableMapping], edits: Mapping[str, Mapping[str, Any]]) -> list[Taught]:
    """What was doubtful and left as proposed by a person who was asked about it, for its source."""
    return [
        (table.source.source_id, Teaching(column=column.column, field=column.field))
        for table in proposed
        if table.source is not None
        for column in table.columns
        if column.status == "review" and not _mapped(edits.get(str(table.table_id), {}), column.column)
    ]


def _mapped(edits: Mapping[str, Any], column: str) -> bool:
    return column in edits and column_edit(edits[column]).maps


def corrected(proposed: Iterable[TableMapping], edits: Mapping[str, Mapping[str, Any]]) -> list[Taught]:
    """What a person changed, for its source; `edits` is {table_id: {column: what `contracts.forms` reads}}."""
    tables = {str(table.table_id): table for table in proposed}
    return [
        (table.source.source_id, teaching)
        for table_id, changes in edits.items()
        if (table := tables.get(table_id)) is not None and table.source is not None
        for column, given in changes.items()
        if column in {known.column for known in table.columns}
        for teaching in _said(column, given)
    ]


def _said(column: str, given: Any) -> Iterator[Teaching]:
    """What an edit teaches: the field, the unit, or both."""
    edit = column_edit(given)
    if edit.maps:
        yield Teaching(column=column, field=edit.field)
    if edit.unit is not None:
        yield Teaching(column=column, verdict="in_unit", field=None, unit=edit.unit)
