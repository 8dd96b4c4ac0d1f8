"""What is said of values that were read by a rule that people may want to check; they are kept, not lost."""

import polars as pl

from services.field_mapping.dates import coarse_period
from services.field_mapping.vocabularies import nearest_to_production

# An example cell of a column whose values were read by a guess, and what was guessed.
Remark = tuple[str, str]

OPEN_DATE = "day and month could be the other way round, and nothing in the column decides; read as month/day"
FIRST_DAY = "a {}, read as its first day"
SEVERAL_ENVIRONMENTS = "names several environments; the one nearest to production counts, {}"


def first_days(text: pl.Series) -> list[Remark]:
    """A remark for each kind of period that stands where days are expected."""
    periods = pl.DataFrame({"text": text, "period": coarse_period(text)}).drop_nulls("period")
    return [
        (example, FIRST_DAY.format(period))
        for period, example in periods.group_by("period", maintain_order=True).agg(pl.col("text").first()).iter_rows()
    ]


def with_several(text: pl.Series, known: pl.Series) -> tuple[pl.Series, list[Remark]]:
    """Environments with those of cells that name several ("Dev/Test"), and a remark on the first of these."""
    several = {cell: nearest for cell in text.filter(known.is_null()).unique(maintain_order=True).drop_nulls()
               if (nearest := nearest_to_production(cell)) is not None}  # fmt: skip
    if not several:
        return known, []
    read = pl.DataFrame({"text": text, "known": known}).select(
        pl.coalesce("known", pl.col("text").replace_strict(several, default=None, return_dtype=pl.String))
    )
    example, nearest = next(iter(several.items()))
    return read.to_series(), [(example, SEVERAL_ENVIRONMENTS.format(nearest))]
