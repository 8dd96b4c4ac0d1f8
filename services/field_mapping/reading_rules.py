"""The rule by which a cell was read, in words."""

import re
from datetime import date, datetime
from typing import Any

from contracts.catalog import CATALOG
from contracts.discovery import ColumnMapping
from services.field_mapping.normalise import clean_text
from services.field_mapping.vocabularies import VOCABULARIES

_UNIT_IN_CELL = re.compile(r"\d\s*([A-Za-z%€$£][A-Za-z/]*)\.?$")


def written(value: Any) -> str | None:
    """A value of an asset as text: numbers without needless zeros, dates in ISO 8601."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def rule_of(column: ColumnMapping, kind: str, raw: str | None, value: Any) -> str:
    """How a cell that could be read was read; an empty one has no value."""
    text = clean_text(raw)
    if text is None:
        return "the cell is empty" if not raw else "the cell says that there is no value"
    read = written(value) or ""
    if kind in {"integer", "number", "duration"}:
        return _number_rule(column, text, read)
    if kind in {"date", "datetime"}:
        return "as written" if text == read else f"read as the date {read}"
    if kind == "boolean":
        return f"'{text}' means {read}"
    if kind in {"ip", "mac"}:
        return "as written" if text == read else f"the primary address of the cell, {read}"
    if column.field in VOCABULARIES and text != read:
        return f"'{text}' is a spelling of '{read}'"
    if text == read:
        return "as written" if raw == read else "without the blanks around it"
    return f"read as '{read}'"


def _number_rule(column: ColumnMapping, text: str, read: str) -> str:
    canonical = (CATALOG[column.field].unit if column.field in CATALOG else None) or "count"
    found = _UNIT_IN_CELL.search(text)
    if found and found.group(1) != canonical:
        return f"{found.group(1)} in the cell, converted to {read} {canonical}"
    if not found and column.unit and column.unit != canonical:
        return f"bare numbers of this column are {column.unit}, converted to {read} {canonical}"
    return "as written" if text == read else f"read as the number {read}"
