"""Changes to a proposed mapping as people type them: COLUMN=FIELD, COLUMN=FIELD in UNIT, COLUMN=in UNIT.

Where several files have the column, it is FILE:COLUMN.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from contracts.catalog import CATALOG, CONNECTION_FIELDS, SOURCE_UNITS, unit_called
from contracts.discovery import TableMapping
from contracts.learning import OWN_PREFIX
from contracts.rest import ApprovalView
from services.cli.terminal import wrong_usage
from services.cli.wording import table_name


def edits_by_table(edits: Sequence[str], approval: ApprovalView) -> dict[str, dict[str, Any]]:
    """`{table_id: {column: field, None or both and unit}}`; raises `CommandFailed` naming the edit that is wrong."""
    if edits and approval.kind != "field_mapping":
        wrong_usage(f"--edit changes the mapping of columns, but the flow asks for {approval.title}.")
    tables = [TableMapping.model_validate(mapping) for mapping in approval.details.get("mappings", [])]
    changes: dict[str, dict[str, Any]] = {}
    for edit in edits:
        where, separator, field = edit.rpartition("=")
        if not separator or not where.strip():
            wrong_usage(f"--edit {edit!r} is not of the form COLUMN=FIELD, such as 'Tier=dr_tier'.")
        table, column = _column(where.strip(), tables)
        named, unit = field_and_unit(field)
        changes.setdefault(str(table.table_id), {})[column] = (
            _field(named, table)
            if unit is None
            else {"unit": unit, **({} if named is None else {"field": _field(named, table)})}
        )
    return changes


def field_and_unit(text: str) -> tuple[str | None, str | None]:
    """The field and the unit of 'memory_gb in MB', 'memory_gb' or 'in MB'; raises `CommandFailed` for another unit."""
    field, separator, unit = f" {text.strip()}".rpartition(" in ")
    if not separator:
        return text.strip() or None, None
    known = unit_called(unit)
    if known is None:
        wrong_usage(f"{unit!r} is no unit. There are {', '.join(u for units in SOURCE_UNITS.values() for u in units)}.")
    return field.strip() or None, known


def _column(where: str, tables: Sequence[TableMapping]) -> tuple[TableMapping, str]:
    named = {
        (table_name(table.file_name, table.sheet), column.column): table for table in tables for column in table.columns
    }
    found = [(table, column) for (name, column), table in named.items() if where in (column, f"{name}:{column}")]
    if len(found) > 1:
        choices = ", ".join(f"{name}:{column}" for (name, column) in named if column == where)
        wrong_usage(f"More than one table has a column {where!r}. Say which: {choices}.")
    if not found:
        near = get_close_matches(where, [column for _, column in named], n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else " `modernize flows approve ID --show` shows them."
        wrong_usage(f"No table of this flow has a column {where!r}.{hint}")
    return found[0]


def _field(field: str | None, table: TableMapping) -> str | None:
    # The platform itself checks a tenant's own fields.
    if field is None:
        return None
    known = CONNECTION_FIELDS if table.kind == "connections" else CATALOG
    if field not in known and not field.startswith(OWN_PREFIX):
        near = get_close_matches(field, known, n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        wrong_usage(f"There is no canonical field {field!r}.{hint}")
    return field
