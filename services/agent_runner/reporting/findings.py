"""The open points of a plan: what the data leaves unknown or doubtful, and what to do about it."""

from collections.abc import Iterator
from datetime import date

import polars as pl

from contracts.catalog import CATALOG, Importance
from contracts.discovery import ReportInputs
from contracts.report import DependencyOverview, Finding, Severity
from services.agent_runner.reporting.connections import retired_but_used
from services.agent_runner.reporting.landscape import past_end_of_life
from services.agent_runner.reporting.tables import STAYING
from services.agent_runner.reporting.wording import counted, percent, share

EXAMPLES = 6
GOOD_COMPLETENESS = 0.9
GOOD_MAPPING_CONFIDENCE = 0.8
GOOD_TREATMENT_CONFIDENCE = 0.6
SEVERITIES: dict[Severity, int] = {"high": 0, "medium": 1, "low": 2}


def find_open_points(
    assets: pl.DataFrame,
    table: pl.DataFrame,
    dependencies: pl.DataFrame,
    overview: DependencyOverview,
    report: ReportInputs,
    today: date,
) -> list[Finding]:
    """All open points, the most severe first. `table` is what `tables.application_table` gives."""
    found = [
        *_about_fields(report),
        *_about_mappings(report),
        *_about_rows(report),
        *_about_applications(table),
        *_about_decisions(table),
        *_about_dependencies(overview, retired_but_used(table, dependencies), table.height),
        *_about_life(assets, today),
    ]
    return sorted(found, key=lambda finding: SEVERITIES[finding.severity])


def _about_fields(report: ReportInputs) -> Iterator[Finding]:
    """Fields that a migration needs and the data does not have, has in part, or has wrong."""
    qualities = {quality.field: quality for quality in report.quality.fields}
    severities: dict[Importance, Severity] = {"required": "high", "high": "medium"}
    for importance, severity in severities.items():
        kind = "required" if importance == "required" else "important"
        fields = [field for field in CATALOG.values() if field.importance == importance]
        absent = [f.label for f in fields if f.id not in qualities or qualities[f.id].filled == 0]
        if absent:
            yield _finding(
                f"missing_{importance}_fields",
                severity,
                f"{counted(len(absent), f'{kind} field')} in no file",
                "No asset has a value for " + ("it." if len(absent) == 1 else "them."),
                "Ask the owners of the source systems for an export with these columns and import it too.",
                len(absent),
                absent,
            )
        partly = [
            (field.label, qualities[field.id].completeness)
            for field in fields
            if field.id in qualities
            and qualities[field.id].filled
            and qualities[field.id].completeness < GOOD_COMPLETENESS
        ]
        partly.sort(key=lambda item: item[1])
        if partly:
            told = [f"{label} ({percent(completeness)})" for label, completeness in partly]
            yield _finding(
                f"incomplete_{importance}_fields",
                "medium" if importance == "required" else "low",
                f"{counted(len(partly), f'{kind} field')} filled for under {percent(GOOD_COMPLETENESS)} of the assets",
                "In brackets: the share of assets that have a value.",
                "Complete these columns at the source; the asset list shows which assets lack them.",
                len(partly),
                told,
            )
    wrong = sorted((q for q in report.quality.fields if q.invalid), key=lambda quality: -quality.invalid)
    if wrong:
        told = [f"{_label(quality.field)} ({quality.invalid:,})" for quality in wrong]
        yield _finding(
            "invalid_values",
            "medium",
            f"{counted(sum(quality.invalid for quality in wrong), 'value')} could not be read",
            "They are of the wrong type or out of range; in brackets: how many in each field.",
            "Correct them at the source; the data quality table has the count for every field.",
            len(wrong),
            told,
        )


def _about_mappings(report: ReportInputs) -> Iterator[Finding]:
    """Columns whose meaning is doubtful or unknown."""
    columns = [(table, column) for table in report.mappings for column in table.columns]
    doubtful = [
        f"{column.column} → {_label(column.field)} ({percent(column.confidence)})"
        for _, column in columns
        if column.field and (column.status == "review" or column.confidence < GOOD_MAPPING_CONFIDENCE)
    ]
    if doubtful:
        yield _finding(
            "doubtful_mappings",
            "medium",
            f"{counted(len(doubtful), 'column')} mapped with doubt",
            f"Marked for review or under {percent(GOOD_MAPPING_CONFIDENCE)} confidence, as given in brackets.",
            "Confirm or correct them with somebody who knows the source.",
            len(doubtful),
            doubtful,
        )
    unmapped = [f"{column.column} ({table.file_name})" for table, column in columns if column.field is None]
    if unmapped:
        yield _finding(
            "unmapped_columns",
            "low",
            f"{counted(len(unmapped), 'column')} used for nothing",
            "No canonical field fits what they are called and what they hold.",
            "Look through them once: a column of yours may hold what a missing field asks for.",
            len(unmapped),
            unmapped,
        )


def _about_rows(report: ReportInputs) -> Iterator[Finding]:
    """Rows that became no asset."""
    rejected = report.quality.rows_rejected
    if rejected:
        yield _finding(
            "rejected_rows",
            "medium",
            f"{counted(rejected, 'row')} rejected",
            f"{share(rejected, report.quality.rows_read)} of the rows read could not be made into assets; "
            "they are kept with the reason.",
            "Look through the rejected rows, correct them in the file and import it again.",
            rejected,
            [],
        )


def _about_applications(table: pl.DataFrame) -> Iterator[Finding]:
    """Applications that nobody named or nobody owns."""
    inferred = table.filter(pl.col("inferred").fill_null(False))
    if inferred.height:
        yield _finding(
            "inferred_applications",
            "medium",
            f"{counted(inferred.height, 'application')} inferred",
            f"No list and no column names {share(inferred.height, table.height)} of the applications; "
            "they were made from assets that belong to none.",
            "Name the application of these assets, or confirm that they stand alone.",
            inferred.height,
            inferred["name"].to_list(),
        )
    ownerless = table.filter(pl.col("owner").is_null())
    if ownerless.height:
        yield _finding(
            "applications_without_owner",
            "high" if ownerless.height * 2 > table.height else "medium",
            f"{counted(ownerless.height, 'application')} without an owner",
            f"{share(ownerless.height, table.height)} of the applications have no owner, business or technical.",
            "Find an owner for each before its wave: somebody has to agree to the date and test afterwards.",
            ownerless.height,
            ownerless["name"].to_list(),
        )


def _about_decisions(table: pl.DataFrame) -> Iterator[Finding]:
    """Applications whose treatment is doubtful or missing, or that fell out of the plan."""
    doubtful = table.filter(pl.col("confidence") < GOOD_TREATMENT_CONFIDENCE).sort("confidence", "name")
    if doubtful.height:
        yield _finding(
            "doubtful_treatments",
            "medium",
            f"{counted(doubtful.height, 'treatment')} decided with doubt",
            f"Confidence is under {percent(GOOD_TREATMENT_CONFIDENCE)} for {share(doubtful.height, table.height)} "
            "of the applications.",
            "Let the owners confirm the treatment of these applications.",
            doubtful.height,
            doubtful["name"].to_list(),
        )
    undecided = table.filter(pl.col("strategy").is_null())
    if undecided.height:
        yield _finding(
            "applications_without_treatment",
            "high",
            f"{counted(undecided.height, 'application')} without a treatment",
            "The assessment has no decision for them.",
            "Run the assessment again and look at its problems.",
            undecided.height,
            undecided["name"].to_list(),
        )
    lost = table.filter(pl.col("wave").is_null() & ~pl.col("strategy").is_in(STAYING))
    if lost.height:
        yield _finding(
            "unplanned_applications",
            "high",
            f"{counted(lost.height, 'application')} to move in no wave",
            "Their treatment moves them, but the plan has no wave for them.",
            "Plan again, or decide on them by hand.",
            lost.height,
            lost["name"].to_list(),
        )


def _about_dependencies(overview: DependencyOverview, retired: list[str], applications: int) -> Iterator[Finding]:
    """Dependencies that retiring or the waves cut, and applications of which none are known."""
    if retired:
        yield _finding(
            "retired_but_used",
            "high",
            f"{counted(len(retired), 'application')} to retire still in use",
            "Applications that stay in service depend on them.",
            "Confirm with the owners of both ends that these can be switched off, or change their treatment.",
            len(retired),
            retired,
        )
    cut = overview.across_waves + overview.to_unmoved
    if cut:
        yield _finding(
            "cut_dependencies",
            "medium",
            f"{counted(cut, 'dependency', 'dependencies')} cut by the plan",
            f"{overview.across_waves:,} between different waves and {overview.to_unmoved:,} to applications that "
            "do not move: these talk across sites, for a time or for good.",
            "Measure their traffic; plan network, latency and firewall rules before the first of the two ends moves.",
            cut,
            [],
        )
    alone = overview.unconnected_applications
    if alone:
        yield _finding(
            "unconnected_applications",
            "medium" if alone * 2 > applications else "low",
            f"{counted(alone, 'application')} with no known dependency",
            f"Nothing is known of what {share(alone, applications)} of the applications talk to, "
            "so their place in the plan rests on size and risk alone.",
            "Record connections for some weeks, a month's end included, and import them.",
            alone,
            [],
        )


def _about_life(assets: pl.DataFrame, today: date) -> Iterator[Finding]:
    """Assets past their end of life, where the data says so."""
    ended = past_end_of_life(assets, today)
    if ended:
        rows = assets.filter(pl.col("eol_date") < today).sort("eol_date", "name")
        yield _finding(
            "past_end_of_life",
            "high",
            f"{counted(ended, 'asset')} past the end of life",
            f"By the data or the vendor, their support has ended, the earliest on {rows['eol_date'][0]:%d %B %Y}.",
            "Check who still supports them; move them early or replace them as they move.",
            ended,
            rows["name"].to_list(),
        )


def _label(field: str | None) -> str:
    """The label of a canonical field; an id that the catalogue does not know speaks for itself."""
    known = CATALOG.get(field or "")
    return known.label if known else str(field)


def _finding(
    code: str, severity: Severity, title: str, detail: str, action: str, count: int, examples: list[str]
) -> Finding:
    """A finding with its first few examples."""
    return Finding(
        code=code,
        severity=severity,
        title=title,
        detail=detail,
        action=action,
        count=count,
        examples=examples[:EXAMPLES],
    )
