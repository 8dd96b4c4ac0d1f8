"""What the assets are, in counts and sums: values they share, operating systems, capacity."""

from datetime import date

import polars as pl

from contracts.report import Capacity, Count, Total
from services.agent_runner.analysis.operating_systems import identify
from services.agent_runner.reporting.tables import text

MOST_GROUPS = 12

# What the families of operating systems are called; a system of no such family goes by its product's name.
FAMILIES = {"windows": "Windows", "linux": "Linux", "unix": "Unix", "bsd": "Unix"}


def counts(assets: pl.DataFrame, today: date | None = None) -> list[Count]:
    """Assets by the value of the frame's first column, the most frequent first and assets without a value last.

    Beyond the twelve most frequent, values are counted together as "n others". With `today`, the frame also has
    `eol_date`, and every count tells how many of its assets are past that date.
    """
    label = pl.col(assets.columns[0])
    ended = _ended(today) if today else pl.lit(None, dtype=pl.Int64)
    grouped = (
        assets.group_by(label.alias("label"))
        .agg(pl.len().alias("assets"), ended.alias("past_end_of_life"))
        .sort(pl.col("label").is_null(), -pl.col("assets").cast(pl.Int64), "label")
    )
    named = grouped.filter(pl.col("label").is_not_null())
    rest = named.slice(MOST_GROUPS - 1) if named.height > MOST_GROUPS else named.clear()
    shown = [Count(**row) for row in named.head(named.height - rest.height).iter_rows(named=True)]
    if not rest.is_empty():
        known = rest["past_end_of_life"].drop_nulls()
        ended_count = int(known.sum()) if len(known) else None
        label_of_rest = f"{rest.height:,} others"
        shown.append(Count(label=label_of_rest, assets=int(rest["assets"].sum()), past_end_of_life=ended_count))
    return shown + [Count(**row) for row in grouped.filter(pl.col("label").is_null()).iter_rows(named=True)]


def with_support_ends(assets: pl.DataFrame) -> pl.DataFrame:
    """Assets whose `eol_date`, where the data gives none, is the vendor's end of support of their operating system."""
    known = _recognised(assets, "end_of_support")
    return known.with_columns(pl.coalesce("eol_date", "system_end_of_support")).drop("system_end_of_support")


def _recognised(assets: pl.DataFrame, *wanted: str) -> pl.DataFrame:
    """Assets with attributes of the operating system that each one has."""
    key = ["operating_system_product", "operating_system_release"]
    pairs = assets.select(key).unique()
    known = [identify(*pair) for pair in pairs.iter_rows()]
    kinds = {"name": pl.String, "family": pl.String, "end_of_support": pl.Date}
    found = [pl.Series(f"system_{name}", [getattr(each, name, None) for each in known], kinds[name]) for name in wanted]
    return assets.join(pairs.with_columns(found), on=key, how="left", nulls_equal=True, maintain_order="left")


def operating_systems(assets: pl.DataFrame, today: date) -> list[Count]:
    """Assets by operating system and release; what is not recognised is counted as the data names it."""
    system, version = text("operating_system"), text("os_version")
    told = version.is_null() | system.str.to_lowercase().str.contains(version.str.to_lowercase(), literal=True)
    written = pl.when(told).then(system).otherwise(system + " " + version)
    named = _recognised(assets, "name").select(pl.coalesce("system_name", written).alias("label"), "eol_date")
    return counts(named, today)


def operating_system_families(assets: pl.DataFrame, today: date) -> list[Count]:
    """Assets by family of operating system; a text that no product is recognised in is counted under "Other"."""
    family = pl.col("system_family").replace_strict(FAMILIES, default=None, return_dtype=pl.String)
    other = pl.when(text("operating_system").is_not_null()).then(pl.lit("Other"))
    label = pl.coalesce(family, "operating_system_product", other).alias("label")
    return counts(_recognised(assets, "family").select(label, "eol_date"), today)


def past_end_of_life(assets: pl.DataFrame, today: date) -> int | None:
    """Assets whose end-of-life date is before `today`; None when no asset has one."""
    ended = assets.select(_ended(today)).item()
    return None if ended is None else int(ended)


def capacity(assets: pl.DataFrame) -> Capacity:
    """Cores, memory and storage of all assets but the hosts of other assets, which would count twice."""
    named = pl.col("virtualization_host").str.strip_chars().str.to_lowercase()
    hosts = assets.select(named.alias("host")).filter(pl.col("host").is_not_null() & (pl.col("host") != ""))["host"]
    names = pl.concat([hosts, hosts.str.split(".").list.first()]).unique().to_list()
    is_host = pl.any_horizontal(
        pl.col(column).str.to_lowercase().is_in(names).fill_null(False) for column in ("name", "hostname", "fqdn")
    )
    counted = assets.filter(~is_host)
    totals = {
        column: Total(total=float(counted[column].sum()), known_assets=counted[column].count())
        for column in ("cpu_cores", "memory_gb", "storage_gb")
    }
    return Capacity(assets=counted.height, hosts_left_out=assets.height - counted.height, **totals)


def _ended(today: date) -> pl.Expr:
    """How many rows are past their end-of-life date; null where none has a date."""
    ends = pl.col("eol_date")
    return pl.when(ends.count() > 0).then((ends < today).sum().cast(pl.Int64))
