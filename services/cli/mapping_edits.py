"""Changes to a proposed mapping as people type them: COLUMN=FIELD, or FILE:COLUMN=FIELD where that is ambiguous."""

from collections.abc import Sequence
from difflib import get_close_matches

from contracts.catalog import CATALOG
from contracts.discovery import TableMapping
from contracts.learning import OWN_PREFIX
from contracts.rest import ApprovalView
from services.cli.terminal import wrong_usage
from services.cli.wording import table_name


def edits_by_table(edits: Sequence[str], approval: ApprovalView) -> dict[str, dict[str, str | None]]:
    """`{table_id: {column: field or None}}`; raises `CommandFailed` that says what is wrong with which edit."""
    if edits and approval.kind != "field_mapping":
        wrong_usage(f"--edit changes the mapping of columns, but the flow asks for {approval.title}.")
    tables = [TableMapping.model_validate(mapping) for mapping in approval.details.get("mappings", [])]
    changes: dict[str, dict[str, str | None]] = {}
    for edit in edits:
        where, separator, field = edit.rpartition("=")
        if not separator or not where.strip():
            wrong_usage(f"--edit {edit!r} is not of the form COLUMN=FIELD, such as 'Tier=dr_tier'.")
        table, column = _column(where.strip(), tables)
        changes.setdefault(str(table.table_id), {})[column] = _field(field.strip(), table)
    return changes


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


def _field(field: str, table: TableMapping) -> str | None:
    # The platform itself checks a tenant's own fields, and those of connections' ends.
    if not field:
        return None
    if field not in CATALOG and not field.startswith(OWN_PREFIX) and table.kind != "connections":
        near = get_close_matches(field, CATALOG, n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        wrong_usage(f"There is no canonical field {field!r}.{hint}")
    return field
