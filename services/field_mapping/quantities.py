"""Numbers of a field: within what is plausible for it, in its canonical unit."""

import polars as pl

from contracts.catalog import CATALOG
from services.field_mapping.compound_sizes import TOTALS, USED, total_of
from services.field_mapping.remarks import Remark
from services.field_mapping.units import factor, read_numbers, spell_out_memory_units

# What a number of this field may be, in its canonical unit; anything else is a typing error or a wrong unit.
PLAUSIBLE: dict[str, tuple[float, float]] = {
    "cpu_sockets": (1, 256),
    "cores_per_socket": (1, 512),
    "cpu_cores": (1, 2048),
    "cpu_speed_mhz": (100, 10_000),
    "memory_gb": (1 / 32, 65_536),
    "memory_used_gb": (0, 65_536),
    "storage_gb": (0, 16 * 1024**2),
    "storage_used_gb": (0, 16 * 1024**2),
    "database_size_gb": (0, 16 * 1024**2),
    "cpu_utilization_pct": (0, 100),
    "memory_utilization_pct": (0, 100),
    "disk_iops": (0, 1e8),
    "rto": (0, 8_784),
    "rpo": (0, 8_784),
    "cost": (0, 1e12),
    "observations": (0, 1e15),
}

_MIXED_MEMORY = "the column mixes bare numbers of megabytes and of gigabytes; each was read by its size, this one as"


def read_quantities(
    text: pl.Series, field: str, kind: str, unit: str | None
) -> tuple[pl.Series, pl.Series, Remark | None]:
    """Numbers within what is plausible for the field, in its unit."""
    remark: Remark | None = None
    if field in {"memory_gb", "memory_used_gb"}:
        written = text
        text, spelled_out = spell_out_memory_units(written, unit)
        if spelled_out.any():
            remark = (written.filter(spelled_out)[0], f"{_MIXED_MEMORY} {text.filter(spelled_out)[0]}")
    canonical = (CATALOG[field].unit if field in CATALOG else None) or "count"
    low, high = PLAUSIBLE.get(field, (float("-inf"), float("inf")))
    value = pl.col("value")
    problem = (
        pl.when(value < 0)
        .then(pl.lit("negative, so a placeholder for a value that is not known"))
        .when(~value.is_between(low, high))
        .then(
            pl.format(
                "{} {} is outside {} to {}",
                value.round(3),
                pl.lit(canonical),
                pl.lit(f"{low:,g}"),
                pl.lit(f"{high:,.0f}"),
            )
        )
    )
    if kind == "integer":
        problem = problem.when(value != value.round()).then(pl.lit("not a whole number"))
    frame = _with_totals(read_numbers(text, canonical, unit), text, field, canonical, factor(unit, canonical) or 1.0)
    frame = frame.with_columns(reason=pl.coalesce("reason", problem.otherwise(None)))
    kept = pl.when(pl.col("reason").is_null()).then(value).cast(pl.Int64 if kind == "integer" else pl.Float64)
    frame = frame.with_columns(kept)
    return frame["value"], frame["reason"], remark


def _with_totals(read: pl.DataFrame, text: pl.Series, field: str, canonical: str, bare: float) -> pl.DataFrame:
    """The same numbers with those of cells that state several, such as "8 x 2 GB"."""
    if field not in TOTALS and field not in USED:
        return read
    unread = read["reason"].is_not_null()
    totals = {
        written: total.value
        for written in text.filter(unread).unique()
        if (total := total_of(written, field, canonical, bare)) is not None
    }
    if not totals:
        return read
    value = pl.DataFrame({"text": text}).select(
        pl.col("text").replace_strict(totals, default=None, return_dtype=pl.Float64)
    ).to_series()  # fmt: skip
    found = unread & value.is_not_null()
    return read.with_columns(value=value.zip_with(found, read["value"]), reason=read["reason"].set(found, None))
