"""Which applications there are and which assets they have, by the application list and the assets' own column."""

from collections.abc import Callable
from itertools import starmap
from uuid import UUID, uuid5

import polars as pl

from services.agent_runner.analysis.operating_systems import identify
from services.agent_runner.analysis.scales import (
    criticality_level,
    environment_rank,
    is_retired,
    ranked,
    sensitivity_level,
)

# An asset named for more applications than this is a platform that they share (a database cluster, a web farm): it is
# an application of its own that they depend on, or it would weld all of them together.
SHARED_PLATFORM_APPLICATIONS = 10
# Hosts of virtual machines belong to no business application; together they are one, switched off when all have moved.
VIRTUALIZATION_PLATFORM = "Virtualization platform"
_NOT_A_NAME = [
    "",
    "-",
    "--",
    "?",
    "n/a",
    "na",
    "none",
    "null",
    "unknown",
    "tbd",
    "unassigned",
    "not assigned",
    "other",
    "misc",
]


def _alive(status: str | None) -> float:
    """A lifecycle status of which some part still lives prevails over one that is gone."""
    return 0.0 if is_retired(status) else 1.0


# What an application's assets and the list say of it: which value prevails, and whether assets go before the list.
DESCRIBED_BY: dict[str, tuple[Callable[[str | None], float | None] | None, bool]] = {
    "environment": (environment_rank, True),
    "criticality": (criticality_level, False),
    "data_classification": (sensitivity_level, False),
    "lifecycle_status": (_alive, False),
    "business_owner": (None, False),
    "technical_owner": (None, False),
}


def folded(text: pl.Expr) -> pl.Expr:
    """A name without the differences that people do not mean: case, blanks, Unicode form."""
    return text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _tidy(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"\s+", " ").str.strip_chars()


def split_list(text: pl.Expr) -> pl.Expr:
    """The entries of a cell that lists several, separated by ";", ",", "|" or a line break."""
    return text.str.replace_all(r"[,|\r\n]+", ";").str.split(";")


def attach_assets(assets: pl.DataFrame, application_list: pl.DataFrame, list_assets: pl.DataFrame) -> pl.DataFrame:
    """One row an asset and application: `asset_uid`, `key` (the folded name), `name`, `inferred`, `platform_of`.

    `list_assets` (`key`, `asset_uid`) are the assets that the application list itself names. `platform_of` lists the
    applications that an asset was named for when it is a shared platform, else it is null.
    """
    listed = application_list.select(folded(pl.col("application_name")).alias("key")).drop_nulls()
    written = assets.select("asset_uid", "application_name").drop_nulls()
    # Many assets have the same text, which is read once.
    texts = written.select(pl.col("application_name").unique()).with_columns(
        pl.col("application_name").cast(pl.String).alias("name")
    )
    # A listed name may hold a comma itself ("Foo, Inc. portal"): whole names go first.
    whole = folded(pl.col("name")).is_in(listed["key"].implode())
    entries = texts.filter(~whole).with_columns(split_list(pl.col("name"))).explode("name")
    names = (
        pl.concat([texts.filter(whole), entries])
        .with_columns(_tidy(pl.col("name")), folded(pl.col("name")).alias("key"))
        .filter(pl.col("key").is_not_null() & ~pl.col("key").is_in(_NOT_A_NAME))
    )
    of_assets = written.join(names, on="application_name").select("asset_uid", "key", "name")
    named = pl.concat([of_assets, list_assets.with_columns(pl.col("key").alias("name"))], how="diagonal")
    # Most assets have one application, and what is asked of the others is not computed for all.
    alone = ~named["asset_uid"].is_duplicated()
    several = named.filter(~alone).sort("name").unique(["asset_uid", "key"], keep="first", maintain_order=True)
    named = pl.concat([named.filter(alone), several])
    platforms = several.group_by("asset_uid").agg(pl.col("name").sort().alias("platform_of"))
    platforms = platforms.filter(pl.col("platform_of").list.len() > SHARED_PLATFORM_APPLICATIONS)
    own = (
        assets.select("asset_uid", _own_name(assets))
        .join(named.join(platforms, on="asset_uid", how="anti"), on="asset_uid", how="anti")
        .join(platforms, on="asset_uid", how="left")
        .with_columns(folded(pl.col("name")).alias("key"))
    )
    attached = named.join(platforms, on="asset_uid", how="anti")
    return pl.concat(
        [attached.with_columns(pl.lit(False).alias("inferred")), own.with_columns(pl.lit(True).alias("inferred"))],
        how="diagonal",
    ).select("asset_uid", "key", "name", "inferred", "platform_of")


def _own_name(assets: pl.DataFrame) -> pl.Expr:
    """What an application of an asset that belongs to none is called: after the asset, or all hosts together."""
    systems = assets.select("operating_system_product", "operating_system_release").iter_rows()
    hosts = pl.Series([system is not None and system.family == "hypervisor" for system in starmap(identify, systems)])
    is_host = pl.lit(hosts, dtype=pl.Boolean) | (pl.col("asset_type") == "host").fill_null(False)
    name = pl.col("name").fill_null(pl.col("asset_uid")).str.strip_chars()
    return pl.when(is_host).then(pl.lit(VIRTUALIZATION_PLATFORM)).otherwise(name).alias("name")


def describe_applications(
    assets: pl.DataFrame, application_list: pl.DataFrame, membership: pl.DataFrame, namespace: UUID
) -> pl.DataFrame:
    """The APPLICATIONS table with a `key` column, sorted by it; what the list says wins over what assets say."""
    entries = application_list.with_columns(folded(pl.col("application_name")).alias("key")).filter(
        pl.col("key").is_not_null() & (pl.col("key") != "")
    )
    owned = membership.select("key", "asset_uid").join(assets.select("asset_uid", *DESCRIBED_BY), on="asset_uid")
    platform_users = membership.select(pl.col("platform_of").alias("name")).drop_nulls().explode("name")
    names = pl.concat(
        [
            entries.select("key", _tidy(pl.col("application_name")).alias("name"), rank=0, inferred=False),
            membership.select("key", "name", rank=1, inferred="inferred"),
            platform_users.select(folded(pl.col("name")).alias("key"), "name", rank=2, inferred=False),
        ],
        how="vertical_relaxed",
    )
    spelled = names.group_by("key", "name").agg(pl.col("rank").min(), pl.len().alias("uses"))
    table = (
        spelled.sort("key", "rank", "uses", "name", descending=[False, False, True, False])
        .group_by("key", maintain_order=True)
        .agg(pl.col("name").first())
        .join(names.group_by("key").agg(pl.col("inferred").all()), on="key")
        .join(
            membership.group_by("key").agg(pl.col("asset_uid").unique().sort().alias("asset_uids")),
            on="key",
            how="left",
        )
        .with_columns(pl.col("asset_uids").fill_null([]))
        .with_columns(pl.col("asset_uids").list.len().cast(pl.Int64).alias("asset_count"))
    )
    table = table.with_columns(
        pl.Series("application_uid", [str(uuid5(namespace, key)) for key in table["key"]], dtype=pl.String)
    )
    for column, (ranks, asset_first) in DESCRIBED_BY.items():
        first, second = (owned, entries) if asset_first else (entries, owned)
        for source, suffix in ((first, ""), (second, "_other")):
            texts = pl.col(column).cast(pl.String).str.strip_chars()
            values = source.select("key", texts).drop_nulls().filter(pl.col(column) != "")
            weight = pl.lit(0.0) if ranks is None else ranked(values[column], ranks, pl.Float64).fill_null(-1.0)
            prevailing = (
                values.with_columns(weight.alias("weight"))
                .group_by("key", column)
                .agg(pl.col("weight").max(), pl.len().alias("uses"))
                .sort("weight", "uses", column, descending=[True, True, False])
                .group_by("key", maintain_order=True)
                .agg(pl.col(column).first().alias(column + suffix))
            )
            table = table.join(prevailing, on="key", how="left")
        table = table.with_columns(pl.coalesce(column, column + "_other").alias(column)).drop(column + "_other")
    return table.sort("key")
