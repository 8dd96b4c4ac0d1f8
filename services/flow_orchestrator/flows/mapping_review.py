"""What a person's decision does to a proposed mapping."""

from collections.abc import Mapping, Sequence

from contracts.discovery import ColumnMapping, TableMapping


def decided_mappings(
    proposed: Sequence[TableMapping], edits: Mapping[str, Mapping[str, str | None]], decided_by: str
) -> list[TableMapping]:
    """The mapping as decided: edited columns as edited, doubtful ones that were left alone as proposed.

    `edits` is {table_id: {column: field id or None}}.
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


def _decided(column: ColumnMapping, edits: Mapping[str, str | None], decided_by: str) -> ColumnMapping:
    if column.column in edits:
        field = edits[column.column]
        return column.model_copy(
            update={
                "field": field,
                "confidence": 1.0,
                "status": "unmapped" if field is None else "accepted",
                "reason": f"Decided by {decided_by}.",
            }
        )
    if column.status == "review":
        return column.model_copy(update={"status": "accepted", "reason": f"{column.reason} Confirmed by {decided_by}."})
    return column
