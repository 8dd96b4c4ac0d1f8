"""What a person's decision does to a proposed mapping."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.catalog import units_of
from contracts.discovery import ColumnMapping, TableMapping
from contracts.forms import column_edit


def decided_mappings(
    proposed: Sequence[TableMapping], edits: Mapping[str, Mapping[str, Any]], decided_by: str
) -> list[TableMapping]:
    """The mapping as decided: edited columns as edited, doubtful ones that were left alone as proposed.

    `edits` is {table_id: {column: what `contracts.forms.column_edit` reads}}.
    """
    return [
        table.model_copy(
            update={
                "columns": [
                    _decided(column, edits.get(str(table.table_id), {}), decided_by) for column in table.columns
                ]
            }
        )
        for table in proposed
    ]


def _decided(column: ColumnMapping, edits: Mapping[str, Any], decided_by: str) -> ColumnMapping:
    if column.column in edits:
        edit = column_edit(edits[column.column])
        field = edit.field if edit.maps else column.field
        # The unit that was found is one of the field's, so it goes with a field of other units.
        unit = edit.unit or (column.unit if units_of(field) == units_of(column.field) else None)
        reason = f"Decided by {decided_by}." if edit.maps else f"{column.reason} Unit decided by {decided_by}."
        return column.model_copy(
            update={
                "field": field,
                "unit": unit,
                "confidence": 1.0,
                "status": "unmapped" if field is None else "accepted",
                "reason": reason,
            }
        )
    if column.status == "review":
        status = "unmapped" if column.field is None else "accepted"
        return column.model_copy(update={"status": status, "reason": f"{column.reason} Confirmed by {decided_by}."})
    return column
