"""From the frames of a plan to its report. Pure: no files, no clock."""

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from contracts.discovery import ReportInputs
from contracts.planning import Wave
from contracts.report import ApplicationRow, Headline, Report, ReportFacts, RuleExample, Treatment, WaveSummary
from services.agent_runner.reporting.connections import dependency_overview
from services.agent_runner.reporting.findings import find_open_points
from services.agent_runner.reporting.landscape import (
    capacity,
    counts,
    operating_system_families,
    operating_systems,
    past_end_of_life,
    with_support_ends,
)
from services.agent_runner.reporting.narrative import tell
from services.agent_runner.reporting.tables import TREATMENTS, application_table, asset_memberships, text

TITLE = "Cloud migration plan"
APPLICATION_ROWS = 500
WAVE_EXAMPLES = 6
RULE_EXAMPLES = 3


def summarise(
    assets: pl.DataFrame,
    applications: pl.DataFrame,
    dependencies: pl.DataFrame,
    assessments: pl.DataFrame,
    plan: pl.DataFrame,
    waves: list[Wave],
    unplanned: dict[str, int],
    report: ReportInputs,
    generated_at: datetime,
) -> Report:
    """Everything the report tells, computed from frames laid out as `contracts.claim_checks` describes.

    `generated_at` is the time the report speaks of: end-of-life dates before it have passed.
    """
    today = generated_at.date()
    assets = with_support_ends(assets)
    table = application_table(applications, assessments, plan)
    overview = dependency_overview(table, dependencies)
    facts = ReportFacts(
        title=TITLE,
        generated_at=generated_at,
        files=report.files,
        headline=Headline(
            assets=assets.height,
            applications=table.height,
            dependencies=dependencies.height,
            waves=len(waves),
            applications_in_waves=table["wave"].count(),
            rows_read=report.quality.rows_read,
            duplicates_merged=report.quality.duplicates_merged,
            rows_rejected=report.quality.rows_rejected,
            past_end_of_life=past_end_of_life(assets, today),
        ),
        capacity=capacity(assets),
        environments=counts(assets.select(text("environment"))),
        operating_systems=operating_systems(assets, today),
        operating_system_families=operating_system_families(assets, today),
        datacenters=counts(assets.select(text("datacenter"))),
        quality=report.quality,
        mappings=report.mappings,
        treatments=_treatments(table),
        unplanned=unplanned,
        engines=_tally(table["engine"]),
        agents=report.agents,
        waves=list(_wave_summaries(waves, table, assets)),
        dependencies=overview,
        findings=find_open_points(assets, table, dependencies, overview, report, today),
        applications=_application_rows(table.head(APPLICATION_ROWS)),
    )
    return Report(summary=tell(facts), **dict(facts))


def _tally(values: pl.Series) -> dict[str, int]:
    """How often each value occurs, the most frequent first, equal ones by name."""
    tallied = values.drop_nulls().value_counts(name="n").sort("n", values.name, descending=[True, False])
    return dict(tallied.iter_rows())


def _treatments(table: pl.DataFrame) -> list[Treatment]:
    """The 6 Rs that occur, each with its most used rules."""
    found = []
    for strategy in TREATMENTS:
        rows = table.filter(pl.col("strategy") == strategy)
        if rows.is_empty():
            continue
        rules = (
            rows.sort("asset_count", descending=True, nulls_last=True, maintain_order=True)
            .group_by("rule", maintain_order=True)
            .agg(pl.len().alias("applications"), pl.col("name").first().alias("example"), pl.col("reason").first())
            .sort("applications", descending=True, maintain_order=True)
        )
        found.append(
            Treatment(
                strategy=strategy,
                applications=rows.height,
                assets=int(rows["asset_count"].sum()),
                average_confidence=rows.select(pl.col("confidence").fill_null(0.0).mean()).item(),
                examples=[RuleExample(**row) for row in rules.head(RULE_EXAMPLES).iter_rows(named=True)],
            )
        )
    return found


def _wave_summaries(waves: list[Wave], table: pl.DataFrame, assets: pl.DataFrame) -> Iterator[WaveSummary]:
    """Each wave with what its applications are and how much storage moves with it."""
    storage = dict(
        asset_memberships(table.select("wave", "asset_uids"))
        .unique()
        .join(assets.select("asset_uid", "storage_gb"), on="asset_uid")
        .group_by("wave")
        .agg(pl.col("storage_gb").sum())
        .drop_nulls("wave")
        .iter_rows()
    )
    rows_of = table.filter(pl.col("wave").is_not_null()).partition_by("wave", as_dict=True)
    for wave in waves:
        rows = rows_of.get((wave.number,), table.clear())
        strategies = _tally(rows["strategy"])
        yield WaveSummary(
            number=wave.number,
            name=wave.name,
            applications=len(wave.application_ids),
            assets=wave.asset_count,
            move_groups=wave.move_groups,
            storage_gb=storage.get(wave.number, 0.0),
            risk=wave.risk,
            reason=wave.reason,
            suggestions=wave.suggestions,
            risks=wave.risks,
            strategies={strategy: strategies[strategy] for strategy in TREATMENTS if strategy in strategies},
            environments=_tally(rows["environment"]),
            examples=rows.sort("asset_count", descending=True, maintain_order=True)["name"]
            .head(WAVE_EXAMPLES)
            .to_list(),
        )


def _application_rows(table: pl.DataFrame) -> list[ApplicationRow]:
    """Rows of the application table as the report has them."""
    columns = [name for name in ApplicationRow.model_fields if name != "assets"]
    selected = table.select(*columns, pl.col("asset_count").fill_null(0).alias("assets"))
    return [ApplicationRow(**row) for row in selected.iter_rows(named=True)]
