"""Who the ends of a connection are: host names, FQDNs, IP addresses and short names, matched to assets."""

from dataclasses import dataclass

import polars as pl

from services.agent_runner.analysis.portfolio import folded

_IP_LIKE = r"^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]*)$"


@dataclass(frozen=True)
class Directory:
    """The names that assets answer to: `exact` (`end`, `asset_uid`, `order`), and `bare` short names."""

    exact: pl.DataFrame
    bare: pl.DataFrame


@dataclass(frozen=True)
class Resolved:
    """What became of each end: `found` (`end`, `asset_uid`), and the ends that mean several assets or none."""

    found: pl.DataFrame
    ambiguous: list[str]
    unknown: list[str]


def build_directory(assets: pl.LazyFrame, ends: pl.Series) -> Directory:
    """Index every name of assets that one of these ends can mean; of the others nothing is held.

    Full names (order 0) come before addresses (1), short names (2) and ids (3).
    """
    wanted = ends.drop_nulls().unique().to_frame("end").lazy()
    assets = assets if ends.count() else assets.clear()
    labels = wanted.select(_first_label(pl.col("end"))).unique()
    without_domain = assets.filter(pl.col("fqdn").is_null())
    exact = []
    for column in ("hostname", "fqdn", "name", "vm_name"):
        named = _alias(assets, column, 0)
        exact.append(named.join(wanted, on="end", how="semi"))
        if column != "name":
            exact.append(_short(named.with_columns(order=pl.lit(2, pl.Int64))).join(wanted, on="end", how="semi"))
    for column in ("ip_address", "public_ip"):
        listed = assets.select("asset_uid", pl.col(column).str.replace_all(r"[,|\s]+", ";").str.split(";"))
        exact.append(_alias(listed.explode(column), column, 1).join(wanted, on="end", how="semi"))
    exact.append(_alias(assets, "asset_id", 3).join(wanted, on="end", how="semi"))
    short = (_short(_alias(without_domain, column, 0)) for column in ("hostname", "name", "vm_name"))
    bare = [names.join(labels, on="end", how="semi") for names in short]
    found = pl.concat(exact).group_by("end", "asset_uid").agg(pl.col("order").min())
    return Directory(*pl.collect_all([found, pl.concat(bare).unique()], engine="streaming"))


def resolve(ends: pl.Series, directory: Directory) -> Resolved:
    """Find the one asset that each end means; an end that means several is not guessed at."""
    wanted = ends.drop_nulls().unique().sort().to_frame("end")
    candidates = wanted.join(directory.exact, on="end")
    rest = wanted.join(candidates, on="end", how="anti").with_columns(_first_label(pl.col("end")).alias("short"))
    rest = rest.filter(pl.col("short") != pl.col("end"))
    # "db1.corp.local" is the asset "db1" when that asset states no domain of its own.
    by_short = rest.join(directory.bare, left_on="short", right_on="end").select("end", "asset_uid", "order")
    best = pl.concat([candidates, by_short]).filter(pl.col("order") == pl.col("order").min().over("end"))
    counted = best.unique(["end", "asset_uid"]).with_columns(pl.len().over("end").alias("assets"))
    found = counted.filter(pl.col("assets") == 1).select("end", "asset_uid").sort("end")
    ambiguous = counted.filter(pl.col("assets") > 1)["end"].unique().sort().to_list()
    return Resolved(found, ambiguous, wanted.join(counted, on="end", how="anti")["end"].sort().to_list())


def _alias(assets: pl.LazyFrame, column: str, order: int) -> pl.LazyFrame:
    end = folded(pl.col(column)).str.strip_chars_end(".")
    named = assets.select(end.alias("end"), "asset_uid", pl.lit(order, dtype=pl.Int64).alias("order"))
    return named.filter(pl.col("end").is_not_null() & (pl.col("end") != ""))


def _short(aliases: pl.LazyFrame) -> pl.LazyFrame:
    return aliases.with_columns(_first_label(pl.col("end")))


def _first_label(end: pl.Expr) -> pl.Expr:
    return pl.when(end.str.contains(_IP_LIKE)).then(end).otherwise(end.str.split(".").list.first())
