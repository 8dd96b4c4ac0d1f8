"""The rule by which a cell was read, in words."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import polars as pl

from contracts.catalog import CATALOG
from contracts.discovery import ColumnMapping
from services.field_mapping.compound_sizes import total_of
from services.field_mapping.dates import DateOrder, coarse_period, date_order, is_ambiguous
from services.field_mapping.normalise import clean, clean_text
from services.field_mapping.remarks import FIRST_DAY, OPEN_DATE, SEVERAL_ENVIRONMENTS
from services.field_mapping.units import factor, spell_out_memory_units
from services.field_mapping.vocabularies import VOCABULARIES, canonical_values, nearest_to_production

_UNIT_IN_CELL = re.compile(r"\d\s*([A-Za-z%€$£][A-Za-z/]*)\.?$")
_DOTTED_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.\d")


@dataclass(frozen=True)
class ReadColumn:
    """An accepted column with all its cells, as some rules look at the whole of it."""

    mapping: ColumnMapping
    kind: str
    cells: pl.Series

    @cached_property
    def date_order(self) -> DateOrder:
        """How its dates with "/" or "-" are read."""
        return date_order(clean(self.cells))

    @cached_property
    def memory_units(self) -> dict[str, str]:
        """What bare numbers were taken for, where the column mixes megabytes and gigabytes."""
        text = clean(self.cells)
        spelled, changed = spell_out_memory_units(text, self.mapping.unit)
        return dict(zip(text.filter(changed), spelled.filter(changed), strict=True))


def written(value: Any) -> str | None:
    """A value of an asset as text: numbers without needless zeros, dates in ISO 8601."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def rule_of(column: ReadColumn, raw: str | None, value: Any) -> str:
    """How a cell that could be read was read; an empty one has no value."""
    text = clean_text(raw)
    if text is None:
        return "the cell is empty" if not raw else "the cell says that there is no value"
    read, kind, field = written(value) or "", column.kind, column.mapping.field
    if kind in {"integer", "number", "duration"}:
        return _number_rule(column, text, read)
    if kind in {"date", "datetime"}:
        return "as written" if text == read else f"read as the date {read}{_because(column, text)}"
    if kind == "boolean":
        return f"'{text}' means {read}"
    if kind in {"ip", "mac"}:
        return "as written" if text == read else f"the primary address of the cell, {read}"
    if field in VOCABULARIES and text != read:
        return _vocabulary_rule(field, text, read)
    if text == read:
        return "as written" if raw == read else "without the blanks around it"
    return f"read as '{read}'"


def _vocabulary_rule(field: str, text: str, read: str) -> str:
    spelling = canonical_values(pl.Series([text]), VOCABULARIES[field]).item()
    if spelling is None and nearest_to_production(text) == read:
        return f"'{text}' {SEVERAL_ENVIRONMENTS.format(read)}"
    return f"'{text}' is a spelling of '{read}'"


def _because(column: ReadColumn, text: str) -> str:
    """Why a date was read as it was, where it could mean another day."""
    period = coarse_period(pl.Series([text])).item()
    if period is not None:
        return f": {FIRST_DAY.format(period)}"
    if not is_ambiguous(text):
        return ""
    if _DOTTED_DATE.match(text):
        return ": a date with dots has its day first"
    order = column.date_order
    if order.proof is not None:
        return f": {'day' if order.day_first else 'month'} first, as '{order.proof}' in this column can only be read so"
    if order.agreed:
        return f": {OPEN_DATE}"
    more = "day" if order.day_first else "month"
    return f": {more} first, as the column has dates of both orders and not fewer of this one"


def _number_rule(column: ReadColumn, text: str, read: str) -> str:
    field, unit = column.mapping.field or "", column.mapping.unit
    canonical = (CATALOG[field].unit if field in CATALOG else None) or "count"
    if field in {"memory_gb", "memory_used_gb"} and (spelled := column.memory_units.get(text)) is not None:
        return f"the column mixes bare numbers of two units, so by its size it is {spelled}, {read} {canonical}"
    total = total_of(text, field, canonical, factor(unit, canonical) or 1.0)
    if total is not None:
        return f"{total.how}, {read} {canonical}"
    found = _UNIT_IN_CELL.search(text)
    if found and found.group(1) != canonical:
        return f"{found.group(1)} in the cell, converted to {read} {canonical}"
    if not found and unit and unit != canonical:
        return f"bare numbers of this column are {unit}, converted to {read} {canonical}"
    return "as written" if text == read else f"read as the number {read}"
