"""How the dependencies lie in the plan, and which applications have most of them."""

import polars as pl

from contracts.report import ConnectedApplication, DependencyOverview

MOST_CONNECTED = 10


def dependency_overview(table: pl.DataFrame, dependencies: pl.DataFrame) -> DependencyOverview:
    """Counts of dependencies inside, across and beyond waves. `table` is what `application_table` gives.

    A pair of applications counts once, however many ports it uses; an application's own traffic does not count.
    """
    source, target = "source_application_uid", "target_application_uid"
    pairs = dependencies.filter(pl.col(source) != pl.col(target)).unique((source, target), maintain_order=True)
    waves = table.select("application_uid", "wave")
    placed = pairs.join(waves, left_on=source, right_on="application_uid", how="left").join(
        waves, left_on=target, right_on="application_uid", how="left", suffix="_target"
    )
    first, second = pl.col("wave"), pl.col("wave_target")
    same, across, to_unmoved = placed.select(
        (first == second).sum().alias("same"),
        (first != second).sum().alias("across"),
        (first.is_null() != second.is_null()).sum().alias("to_unmoved"),
    ).row(0)
    ends = pl.concat(
        [
            pairs.select(application_uid=source, neighbour=target, incoming=pl.lit(0), outgoing=pl.lit(1)),
            pairs.select(application_uid=target, neighbour=source, incoming=pl.lit(1), outgoing=pl.lit(0)),
        ]
    )
    connected = (
        ends.group_by("application_uid")
        .agg(pl.col("neighbour").n_unique().alias("neighbours"), pl.col("incoming").sum(), pl.col("outgoing").sum())
        .join(table.select("application_uid", "name", "wave", "strategy"), on="application_uid")
        .sort(-pl.col("neighbours").cast(pl.Int64), -pl.col("incoming").cast(pl.Int64), "name")
    )
    kinds = dependencies["kind"].drop_nulls().value_counts(name="n").sort("n", "kind", descending=[True, False])
    return DependencyOverview(
        pairs=pairs.height,
        same_wave=same,
        across_waves=across,
        to_unmoved=to_unmoved,
        kinds=dict(kinds.iter_rows()),
        unconnected_applications=table.height - connected.height,
        most_connected=[
            ConnectedApplication(**row)
            for row in connected.drop("application_uid").head(MOST_CONNECTED).iter_rows(named=True)
        ],
    )


def retired_but_used(table: pl.DataFrame, dependencies: pl.DataFrame) -> list[str]:
    """Names of applications to retire on which applications that are not retired depend."""
    retired = pl.col("strategy") == "retire"
    going = table.filter(retired)
    users = table.filter(~retired).select(source_application_uid="application_uid")
    used = dependencies.join(users, on="source_application_uid", how="semi")["target_application_uid"]
    return going.filter(pl.col("application_uid").is_in(used.unique().to_list()))["name"].sort().to_list()
