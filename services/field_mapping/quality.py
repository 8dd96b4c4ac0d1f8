"""What is wrong with an inventory: rows that are no assets, and how complete, valid and unique the rest is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import polars as pl

from contracts.catalog import CATALOG
from contracts.claim_checks import ROW_NUMBER
from contracts.discovery import FieldQuality, QualityReport
from services.field_mapping.cleaned_rows import Rows
from services.field_mapping.compact_columns import Coded, filled, gathered, whole
from services.field_mapping.identity import IDENTITY_FIELDS
from services.field_mapping.normalise import SourceTable, accepted, cells_of

# A host called "total" has a serial number or an address; a line with the sum of a column has neither.
_TOTAL = (
    r"(?i)^(?:(?:grand|sub|report|overall)[\s-]?)?"
    r"(?:totals?|sum(?:me|ma)?|gesamt(?:summe)?|average|durchschnitt|count|anzahl)\b[\s:=()\d.,]*"
    r"(?:(?:of|number|rows?|records?|servers?|vms?|hosts?|machines?|items?|assets?|count|applications?|devices?)\b.*)?$"
)
_PROOF_OF_A_MACHINE = ("uuid", "serial_number", "ip_address", "mac_address")
_NOTE = re.compile(
    r"(?i)^\W*(?:generated|exported|created|report(?:ed)?|printed|source|confidential|end of|page \d|note|as of)\b"
    r"|^\W*\d[\d.,]*\s+(?:rows?|records?|entries|vms?|servers?|hosts?|items?)\b|(?:\S+\s+){4}"
)


@dataclass(frozen=True)
class Counted:
    """So many rows, and how many of them have a value in each field."""

    rows: int
    filled: Mapping[str, int]


def misfits(
    table: SourceTable, rows: Rows, chosen: pl.Series, identity: tuple[str, ...] = IDENTITY_FIELDS
) -> pl.DataFrame:
    """Those of the chosen rows of a table that are no assets or applications: `_row` and `reason`.

    They are empty rows, totals, notes under the table, repeated headers, and rows without any of the `identity` fields.
    `rows` are all rows of the table, and `chosen` the positions of some, in ascending order.
    """
    found: list[tuple[int, str]] = []
    schema = {ROW_NUMBER: pl.Int64, "reason": pl.String}
    if chosen.is_empty():
        return pl.DataFrame(schema=schema)
    given = [field for field in identity if field in rows.columns]
    columns = [name for name in table.frame.collect_schema() if name != ROW_NUMBER]
    nameless = chosen.filter(~_any([_at(rows, field, chosen) for field in given], chosen))
    totals = _totals(table, rows, chosen, given, columns[:1])
    headers = _headers(table, rows, chosen, given)
    lonely = _lonely(rows, chosen, given) if len(columns) >= 3 else chosen.clear()
    suspects = pl.concat([nameless, totals, headers, lonely]).unique().sort()
    wanted = ", ".join(CATALOG[field].label for field in identity)
    numbers = rows.numbers.gather(suspects)
    cells = table.frame.filter(pl.col(ROW_NUMBER).is_in(numbers.implode())).collect(engine="streaming")
    kinds = zip(*(suspects.is_in(kind.implode()) for kind in (nameless, totals, headers, lonely)), strict=True)
    for row, (is_nameless, is_total, is_header, is_lonely) in zip(cells.iter_rows(named=True), kinds, strict=True):
        written = {name: value for name, value in row.items() if name != ROW_NUMBER and value and value.strip()}
        repeated = sum(value.strip().lower() == name.lower() for name, value in written.items())
        if not written:
            reason = "The row is empty."
        elif is_header and (repeated > 1 or repeated == len(written)):
            reason = "The row repeats the header."
        elif is_total:
            reason = "The row holds a total, not a machine."
        elif is_lonely and len(written) == 1 and _NOTE.search(next(iter(written.values()))):
            reason = "The row holds a note, not a machine."
        elif is_nameless:
            reason = f"Nothing in the row tells what it is about. Fill one of: {wanted}."
        else:
            continue
        found.append((row[ROW_NUMBER], reason))
    return pl.DataFrame(found, schema=schema, orient="row")


def _at(rows: Rows, field: str, positions: pl.Series) -> pl.Series:
    """Whether these rows have a value in a field."""
    column = rows.columns[field]
    return filled(column if positions.len() == rows.height else gathered(column, positions))


def _any(masks: Sequence[pl.Series], positions: pl.Series) -> pl.Series:
    return reduce(or_, masks, pl.Series([False]).new_from_index(0, positions.len()))


def _totals(table: SourceTable, rows: Rows, chosen: pl.Series, given: list[str], first: list[str]) -> pl.Series:
    """Rows that are called a total, and have nothing that only a machine has."""
    proof = [field for field in _PROOF_OF_A_MACHINE if field in rows.columns]
    bare = chosen.filter(~_any([_at(rows, field, chosen) for field in proof], chosen))
    if bare.is_empty():
        return bare
    labels = [whole(gathered(rows.columns[field], bare)) for field in given if field not in proof]
    labels += [cells_of(table, name).gather(bare).str.strip_chars() for name in first]
    return bare.filter(_any([label.str.contains(_TOTAL).fill_null(False) for label in labels], bare))


def _headers(table: SourceTable, rows: Rows, chosen: pl.Series, given: list[str]) -> pl.Series:
    """Rows in which a column that names things holds its own name."""
    found = [chosen.clear()]
    for field in given:
        names = {column.column.lower() for column in accepted(table.mapping) if column.field == field}
        column = rows.columns[field]
        texts = column.values if isinstance(column, Coded) else column
        # Most have another length, and need no look; of few letters the other case has another one.
        lengths = [len(name.encode()) for name in names]
        alike = texts.str.len_bytes().is_between(min(lengths) // 2, max(lengths) * 2).arg_true()
        places = alike.filter(texts.gather(alike).str.to_lowercase().is_in(list(names)))
        found.append(column.codes.is_in(places.implode()).arg_true() if isinstance(column, Coded) else places)
    both = pl.concat(found).unique().sort()
    return both.filter(both.is_in(chosen.implode()))


def _lonely(rows: Rows, chosen: pl.Series, given: list[str]) -> pl.Series:
    """Rows with one value at most."""
    values = pl.Series([0], dtype=pl.UInt8).new_from_index(0, chosen.len())
    # What names things is filled nearly everywhere, so that hardly a row is left after two fields.
    for field in dict.fromkeys([*given, *rows.columns]):
        values = values + _at(rows, field, chosen).cast(pl.UInt8)
        chosen, values = chosen.filter(values <= 1), values.filter(values <= 1)
    return chosen


def quality_report(assets: Counted, rows: Counted, invalid: Mapping[str, int], rejected: int) -> QualityReport:
    """Figures of an inventory, of its assets only.

    `rows` are the normalised rows that `assets` were merged from, `invalid` counts the cells of each field that could
    not be read in them, `rejected` the rows of the same tables that could not be used.

    For one field: completeness = assets that have it / assets; validity = readable cells / (readable + invalid cells),
    with cells counted before merging. For all: completeness = filled fields / (assets x fields) over the fields of
    importance required and high; validity = readable / (readable + invalid) over all cells; uniqueness = assets / rows
    merged into them. rows_read = rows + rejected, so it is also assets + duplicates_merged + rows_rejected. Of nothing,
    a ratio is 1.
    """
    held = {field: assets.filled.get(field, 0) for field in CATALOG}
    readable = {field: rows.filled.get(field, 0) for field in CATALOG}
    important = [field.id for field in CATALOG.values() if field.importance in {"required", "high"}]
    return QualityReport(
        rows_read=rows.rows + rejected,
        assets=assets.rows,
        duplicates_merged=rows.rows - assets.rows,
        rows_rejected=rejected,
        completeness=_ratio(sum(held[field] for field in important), assets.rows * len(important)),
        validity=_ratio(sum(readable.values()), sum(readable.values()) + sum(invalid.values())),
        uniqueness=_ratio(assets.rows, rows.rows),
        fields=[
            FieldQuality(
                field=field,
                filled=held[field],
                invalid=invalid.get(field, 0),
                completeness=_ratio(held[field], assets.rows),
                validity=_ratio(readable[field], readable[field] + invalid.get(field, 0)),
            )
            for field in CATALOG
        ],
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
