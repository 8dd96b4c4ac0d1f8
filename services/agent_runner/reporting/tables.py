"""The frames of a plan joined the way people read them: one row an application, one row an asset."""

import polars as pl

from contracts.assessment import SixR
from contracts.claim_checks import ASSESSMENTS
from services.agent_runner.analysis.layouts import conform

# The order in which treatments are told: what moves first, what does not last.
MOVING: tuple[SixR, ...] = ("rehost", "replatform", "refactor", "repurchase")
STAYING: tuple[SixR, ...] = ("retire", "retain")
TREATMENTS = MOVING + STAYING


def text(column: str) -> pl.Expr:
    """A string column without blanks around its values; empty values are null."""
    stripped = pl.col(column).str.strip_chars()
    return pl.when(stripped != "").then(stripped).alias(column)


def application_table(applications: pl.DataFrame, assessments: pl.DataFrame, plan: pl.DataFrame) -> pl.DataFrame:
    """Every application with its treatment and its wave, in the order of the plan; what moves in no wave is last."""
    decided = (
        conform(assessments, ASSESSMENTS).unique("application_uid", keep="first", maintain_order=True).drop("name")
    )
    planned = plan.unique("application_uid", keep="first", maintain_order=True).select(
        "application_uid", "wave", "move_group", wave_reason="reason"
    )
    details = ("environment", "criticality", "business_owner", "technical_owner", "lifecycle_status")
    return (
        applications.with_columns(text(column) for column in (*details, "data_classification"))
        .join(decided, on="application_uid", how="left", maintain_order="left")
        .join(planned, on="application_uid", how="left", maintain_order="left")
        .with_columns(pl.coalesce("business_owner", "technical_owner").alias("owner"))
        .sort("wave", "move_group", "name", nulls_last=True, maintain_order=True)
    )


def asset_table(assets: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Every asset with the applications it belongs to and the wave it moves in, before its own columns.

    `table` is what `application_table` gives. An asset of several applications moves with the first of their waves.
    """
    memberships = (
        asset_memberships(table)
        .group_by("asset_uid")
        .agg(
            application=pl.col("name").unique(maintain_order=True).str.join("; "),
            wave=pl.col("wave").min(),
            strategy=pl.col("strategy").drop_nulls().first(),
        )
    )
    joined = assets.join(memberships, on="asset_uid", how="left", maintain_order="left")
    first = ("name", "application", "wave", "strategy")
    last = ("source_rows", "asset_uid")
    filled = [column for column in assets.columns if assets[column].null_count() < assets.height]
    own = [column for column in filled if column not in (*first, *last)]
    return joined.select(*first, *own, *last).sort("wave", "application", "name", nulls_last=True)


def asset_memberships(table: pl.DataFrame) -> pl.DataFrame:
    """One row an asset of an application, with the columns of `application_table`."""
    exploded = table.explode("asset_uids")
    return exploded.rename({"asset_uids": "asset_uid"}).filter(pl.col("asset_uid").is_not_null())
