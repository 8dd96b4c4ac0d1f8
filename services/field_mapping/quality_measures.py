"""How good an inventory is, figure by figure: what was measured, of how many, and the assets behind what is not good.

Completeness: the asset has a value. Uniqueness: no other asset has the same. Consistency: two values of an asset do not
contradict each other. Timeliness: the asset was seen lately. Validity is about cells, before assets are merged: what is
filled can be read. Each is counted for all assets, for each asset type and for each source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from contracts.catalog import CATALOG
from contracts.claim_checks import QUALITY_FAILURES, QUALITY_FIGURES
from services.field_mapping.asset_changes import source_of
from services.field_mapping.normalise import SourceTable, normalise_table
from services.field_mapping.origin import place_of

# An asset that no tool saw for so long may be gone. Our figure.
SEEN_WITHIN = timedelta(days=90)
# Fields of which two assets cannot have the same value.
_UNIQUE = ("uuid", "serial_number", "fqdn", "ip_address", "mac_address", "asset_id")
_FIGURES = {name: pl.Int64 if kind == "Int64" else pl.String for name, kind in QUALITY_FIGURES.items()}
_FAILURES = dict.fromkeys(QUALITY_FAILURES, pl.String)
# An asset type that no row states.
UNKNOWN_TYPE = "unknown"


@dataclass(frozen=True)
class ConsistencyRule:
    """Two or more fields that contradict each other: `wrong` where they do, and only if all have a value."""

    name: str
    fields: tuple[str, ...]
    wrong: pl.Expr


CONSISTENCY_RULES = (
    ConsistencyRule(
        "storage_used_gb is at most storage_gb",
        ("storage_used_gb", "storage_gb"),
        # A tool may count a little more than the disk's nominal size.
        pl.col("storage_used_gb") > pl.col("storage_gb") * 1.05,
    ),
    ConsistencyRule(
        "memory_used_gb is at most memory_gb",
        ("memory_used_gb", "memory_gb"),
        pl.col("memory_used_gb") > pl.col("memory_gb") * 1.05,
    ),
    ConsistencyRule(
        "cpu_cores is cpu_sockets times cores_per_socket",
        ("cpu_cores", "cpu_sockets", "cores_per_socket"),
        pl.col("cpu_cores") != pl.col("cpu_sockets") * pl.col("cores_per_socket"),
    ),
    ConsistencyRule(
        "fqdn begins with hostname",
        ("fqdn", "hostname"),
        ~pl.col("fqdn").str.starts_with(pl.concat_str(pl.col("hostname"), pl.lit("."))),
    ),
    ConsistencyRule(
        "a retired or decommissioned asset is not switched on",
        ("lifecycle_status", "power_state"),
        pl.col("lifecycle_status").is_in(["retired", "decommissioned"]) & (pl.col("power_state") == "on"),
    ),
    ConsistencyRule(
        "eol_date is after install_date",
        ("eol_date", "install_date"),
        pl.col("eol_date") <= pl.col("install_date"),
    ),
    ConsistencyRule(
        "a VM is virtual, a host is not",
        ("asset_type", "is_virtual"),
        ((pl.col("asset_type") == "vm") & ~pl.col("is_virtual"))
        | ((pl.col("asset_type") == "host") & pl.col("is_virtual")),
    ),
)


@dataclass(frozen=True)
class Measured:
    """Figures (`QUALITY_FIGURES`) and the assets and cells that are not good (`QUALITY_FAILURES`)."""

    figures: pl.DataFrame
    failures: pl.DataFrame


def measure(assets: pl.DataFrame, tables: Sequence[SourceTable], today: date) -> Measured:
    """Every figure of an inventory; assets that lack a value are counted and not listed, as there are many."""
    known = assets.with_columns(
        _type=pl.col("asset_type").fill_null(UNKNOWN_TYPE),
        _sources=_sources(assets["source_rows"]),
    )
    figures: list[tuple[object, ...]] = []
    failures = [pl.DataFrame(schema=_FAILURES)]
    filled = [name for name in CATALOG if assets[name].count()]
    for name in CATALOG:
        figures += _figures(known, "completeness", name, pl.lit(True), pl.col(name).is_not_null())
    for name in (name for name in _UNIQUE if name in filled):
        bad = pl.col(name).is_not_null() & pl.col(name).is_duplicated()
        figures += _figures(known, "uniqueness", name, pl.col(name).is_not_null(), ~bad)
        failures.append(_failing(known, "uniqueness", name, bad, pl.col(name), "another asset has the same"))
    for rule in CONSISTENCY_RULES:
        applies = pl.all_horizontal(pl.col(name).is_not_null() for name in rule.fields)
        bad = applies & rule.wrong
        figures += _figures(known, "consistency", rule.name, applies, ~bad)
        values = pl.concat_str([pl.col(name).cast(pl.String) for name in rule.fields], separator=", ")
        failures.append(_failing(known, "consistency", rule.name, bad, values, "the values contradict each other"))
    if "last_seen" in filled:
        seen = pl.col("last_seen").is_not_null()
        stale = seen & (pl.col("last_seen") < pl.lit(today - SEEN_WITHIN).cast(pl.Datetime("us")))
        figures += _figures(known, "timeliness", "last_seen", seen, ~stale)
        written = pl.col("last_seen").cast(pl.String)
        failures.append(_failing(known, "timeliness", "last_seen", stale, written, "not seen for 90 days"))
    for table in tables:
        _validity(table, figures, failures)
    return Measured(pl.DataFrame(figures, schema=_FIGURES, orient="row"), pl.concat(failures))


def _sources(source_rows: pl.Series) -> pl.Series:
    """The sources of each asset; each set of tables is looked at once."""
    tables = source_rows.str.replace_all(r":\d+(;|$)", ":$1")
    known = {rows: sorted({source_of(place) for place in rows.split("; ")}) for rows in tables.unique()}
    return pl.Series("_sources", [known[rows] for rows in tables], dtype=pl.List(pl.String))


def _figures(assets: pl.DataFrame, measure: str, of: str, applies: pl.Expr, good: pl.Expr) -> list[tuple[object, ...]]:
    """The figure of all assets, of each type, and of each source."""
    judged = assets.select("_type", "_sources", applies=applies, good=applies & good)
    counted = [pl.col("good").sum().alias("good"), pl.col("applies").sum().alias("total")]
    found = [(measure, of, None, None, *judged.select(counted).row(0))]
    found += [(measure, of, kind, None, good, total)
              for kind, good, total in judged.group_by("_type").agg(counted).sort("_type").iter_rows()]  # fmt: skip
    by_source = judged.explode("_sources").group_by("_sources").agg(counted).sort("_sources")
    found += [(measure, of, None, source, good, total) for source, good, total in by_source.iter_rows()]
    return [row for row in found if row[-1]]


def _failing(assets: pl.DataFrame, measure: str, of: str, bad: pl.Expr, value: pl.Expr, reason: str) -> pl.DataFrame:
    return assets.filter(bad.fill_null(False)).select(
        pl.lit(measure).alias("measure"),
        pl.lit(of).alias("of"),
        pl.col("_type").alias("asset_type"),
        "source_rows",
        "asset_uid",
        "name",
        value.alias("value"),
        pl.lit(reason).alias("reason"),
    )


def _validity(table: SourceTable, figures: list[tuple[object, ...]], failures: list[pl.DataFrame]) -> None:
    """Cells that have a value, and those of them that could be read, of each field of one source."""
    normalised = normalise_table(table)
    lost = normalised.problems.filter("lost")
    source = source_of(place_of(table.profile))
    counts = dict(lost.group_by("field").len().iter_rows())
    for field in (name for name in normalised.frame.columns if name in CATALOG):
        readable = normalised.frame[field].count()
        if readable + counts.get(field, 0):
            figures.append(("validity", field, None, source, readable, readable + counts.get(field, 0)))
    failures.append(
        lost.select(
            pl.lit("validity").alias("measure"),
            pl.col("field").alias("of"),
            pl.lit(None, pl.String).alias("asset_type"),
            pl.format(place_of(table.profile) + "{}", "row").alias("source_rows"),
            pl.lit(None, pl.String).alias("asset_uid"),
            pl.lit(None, pl.String).alias("name"),
            pl.col("raw").alias("value"),
            "reason",
        )
    )
