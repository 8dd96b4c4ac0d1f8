"""What the columns of a table look like: enough to map them without their rows."""

import polars as pl

from contracts.claim_checks import JOINED_ROWS, ROW_NUMBER
from contracts.discovery import ColumnProfile
from services.field_mapping.compact_columns import Each

_LOOKED_AT = 5_000
_SAMPLES = 20
_SAMPLE_CHARS = 80


def profile(frame: pl.DataFrame | pl.LazyFrame, each: Each = map) -> list[ColumnProfile]:
    """A profile of each column of the file, in order; `distinct` and samples come from up to 5,000 spread values.

    `each` is `map`, or one that looks at several columns at a time.
    """
    rows = frame.lazy()
    names = [name for name in rows.collect_schema() if name not in (ROW_NUMBER, JOINED_ROWS)]
    return list(each(lambda name: _profile_column(rows.select(name).collect().to_series()), names))


def _profile_column(column: pl.Series) -> ColumnProfile:
    values = column.drop_nulls()
    looked_at = values.gather_every(-(-len(values) // _LOOKED_AT)) if len(values) > _LOOKED_AT else values
    different = looked_at.unique(maintain_order=True)
    # A long value may differ beyond what is shown; the first few are enough to fill the list all the same.
    samples = different.head(_SAMPLES * 5).str.slice(0, _SAMPLE_CHARS).unique(maintain_order=True)
    return ColumnProfile(
        name=column.name,
        filled=len(values),
        distinct=len(different),
        samples=samples.head(_SAMPLES).to_list(),
    )
