"""What is wrong with an inventory: rows that are no assets, and how complete, valid and unique the rest is."""

import re

import polars as pl

from contracts.catalog import CATALOG
from contracts.claim_checks import ROW_NUMBER
from contracts.discovery import FieldQuality, QualityReport
from services.field_mapping.identity import IDENTITY_FIELDS
from services.field_mapping.normalise import SourceTable, accepted

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


def misfits(table: SourceTable, rows: pl.DataFrame, identity: tuple[str, ...] = IDENTITY_FIELDS) -> pl.DataFrame:
    """The rows of a normalised table that are no assets or applications: `_row` and `reason`.

    They are empty rows, totals, notes under the table, repeated headers, and rows without any of the `identity` fields.
    """
    frame, columns = table.frame, [name for name in table.frame.collect_schema() if name != ROW_NUMBER]
    if rows.is_empty():
        return pl.DataFrame(schema={ROW_NUMBER: pl.Int64, "reason": pl.String})
    given = [field for field in identity if field in rows.columns]
    proof = [field for field in _PROOF_OF_A_MACHINE if field in rows.columns]
    no, yes = pl.lit(False), pl.lit(True)
    labels = rows.select(ROW_NUMBER, *(field for field in given if field not in proof))
    if columns:
        first = pl.col(columns[0]).str.strip_chars().alias(f"as written: {columns[0]}")
        labels = labels.with_columns(frame.select(first).collect())
    total = labels.select(
        ROW_NUMBER, total=pl.any_horizontal(no, *(pl.col(name).str.contains(_TOTAL) for name in labels.columns[1:]))
    )
    headers = {column.column for column in accepted(table.mapping) if column.field in given}
    header = frame.select(
        ROW_NUMBER, header=pl.any_horizontal(no, *(pl.col(name).str.to_lowercase() == name.lower() for name in headers))
    ).collect()
    filled = pl.sum_horizontal(pl.lit(0), *(pl.col(name).is_not_null() for name in rows.columns if name != ROW_NUMBER))
    suspects = rows.select(
        ROW_NUMBER,
        nameless=pl.all_horizontal(yes, *(pl.col(field).is_null() for field in given)),
        total=total["total"].fill_null(False) & pl.all_horizontal(yes, *(pl.col(field).is_null() for field in proof)),
        lonely=(filled <= 1) & pl.lit(len(columns) >= 3),
        header=header["header"].fill_null(False),
    ).filter(pl.any_horizontal("nameless", "total", "lonely", "header"))
    wanted = ", ".join(CATALOG[field].label for field in identity)
    found = []
    cells = frame.filter(pl.col(ROW_NUMBER).is_in(suspects[ROW_NUMBER].implode())).collect(engine="streaming")
    for suspect, row in zip(suspects.iter_rows(named=True), cells.iter_rows(named=True), strict=True):
        written = {name: value for name, value in row.items() if name != ROW_NUMBER and value and value.strip()}
        repeated = sum(value.strip().lower() == name.lower() for name, value in written.items())
        if not written:
            reason = "The row is empty."
        elif suspect["header"] and (repeated > 1 or repeated == len(written)):
            reason = "The row repeats the header."
        elif suspect["total"]:
            reason = "The row holds a total, not a machine."
        elif suspect["lonely"] and len(written) == 1 and _NOTE.search(next(iter(written.values()))):
            reason = "The row holds a note, not a machine."
        elif suspect["nameless"]:
            reason = f"Nothing in the row tells what it is about. Fill one of: {wanted}."
        else:
            continue
        found.append((suspect[ROW_NUMBER], reason))
    return pl.DataFrame(found, schema={ROW_NUMBER: pl.Int64, "reason": pl.String}, orient="row")


def quality_report(assets: pl.DataFrame, rows: pl.DataFrame, invalid: dict[str, int], rejected: int) -> QualityReport:
    """Figures of an inventory, of its assets only.

    `rows` are the normalised rows that `assets` were merged from, `invalid` counts the cells of each field that could
    not be read in them, `rejected` the rows of the same tables that could not be used.

    For one field: completeness = assets that have it / assets; validity = readable cells / (readable + invalid cells),
    with cells counted before merging. For all: completeness = filled fields / (assets x fields) over the fields of
    importance required and high; validity = readable / (readable + invalid) over all cells; uniqueness = assets / rows
    merged into them. rows_read = rows + rejected, so it is also assets + duplicates_merged + rows_rejected. Of nothing,
    a ratio is 1.
    """
    filled = {field: assets[field].count() if field in assets.columns else 0 for field in CATALOG}
    readable = {field: rows[field].count() if field in rows.columns else 0 for field in CATALOG}
    important = [field.id for field in CATALOG.values() if field.importance in {"required", "high"}]
    return QualityReport(
        rows_read=rows.height + rejected,
        assets=assets.height,
        duplicates_merged=rows.height - assets.height,
        rows_rejected=rejected,
        completeness=_ratio(sum(filled[field] for field in important), assets.height * len(important)),
        validity=_ratio(sum(readable.values()), sum(readable.values()) + sum(invalid.values())),
        uniqueness=_ratio(assets.height, rows.height),
        fields=[
            FieldQuality(
                field=field,
                filled=filled[field],
                invalid=invalid.get(field, 0),
                completeness=_ratio(filled[field], assets.height),
                validity=_ratio(readable[field], readable[field] + invalid.get(field, 0)),
            )
            for field in CATALOG
        ],
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
