"""The report as an Excel workbook: a summary with native charts, and every row of the plan."""

from pathlib import Path

import polars as pl
import xlsxwriter

from contracts.catalog import CATALOG
from contracts.report import Report
from services.agent_runner.reporting.overview import WAVE_COLUMNS, write_overview
from services.agent_runner.reporting.sheets import make_formats, write_table
from services.agent_runner.reporting.tables import MOVING, application_table, asset_table

DATA_BAR = {"type": "data_bar", "bar_solid": True, "bar_color": "#8FB4E8", "min_type": "num", "min_value": 0,
            "max_type": "num", "max_value": 1}  # fmt: skip
RISK_SCALE = {"type": "3_color_scale", "min_type": "num", "min_value": 0, "mid_type": "num", "mid_value": 0.5,
              "max_type": "num", "max_value": 1, "min_color": "#BFE5CC", "mid_color": "#FBE7BF",
              "max_color": "#F4B5A9"}  # fmt: skip
BARRED = ("confidence", "completeness", "validity")
OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write_workbook(
    report: Report,
    assets: pl.DataFrame,
    applications: pl.DataFrame,
    dependencies: pl.DataFrame,
    assessments: pl.DataFrame,
    plan: pl.DataFrame,
    path: Path,
) -> None:
    """Write the workbook to `path`. The frames are those that `report` was made from.

    Rows go to a temporary file as they are written, so memory stays bounded whatever the number of assets. Columns of
    assets that are empty throughout are left out. Raises `xlsxwriter.exceptions.FileCreateError` when the file cannot
    be written.
    """
    table = application_table(applications, assessments, plan)
    frames = {
        "Waves": _waves(report, table),
        "Applications": _applications(table),
        "Assets": asset_table(assets, table),
        "Dependencies": _dependencies(dependencies, table),
        "Data quality": _quality(report),
        "Field mapping": _mappings(report),
    }
    with xlsxwriter.Workbook(path, OPTIONS) as book:
        book.set_properties({"title": report.title, "created": report.generated_at.replace(tzinfo=None)})
        formats = make_formats(book)
        write_overview(book, formats, report)
        for name, frame in frames.items():
            for sheet in write_table(book, formats, name, frame):
                for number, column in enumerate(frame.columns):
                    rule = RISK_SCALE if column == "risk" else DATA_BAR if column in BARRED else None
                    if rule and frame.height:
                        sheet.conditional_format(1, number, frame.height, number, rule)


def _waves(report: Report, table: pl.DataFrame) -> pl.DataFrame:
    """One row a wave; the columns of treatments are what the chart on the summary stacks."""
    rows = [
        {
            "wave": wave.number,
            "wave_name": wave.name,
            "applications": wave.applications,
            "assets": wave.assets,
            "move_groups": wave.move_groups,
            "storage_gb": wave.storage_gb,
            "risk": wave.risk,
            **{treatment: wave.strategies.get(treatment, 0) for treatment in MOVING},
            "environments": ", ".join(f"{name} {number}" for name, number in wave.environments.items()),
            "reason": wave.reason,
        }
        for wave in report.waves
    ]
    counts = dict.fromkeys(("wave", "applications", "assets", "move_groups", *MOVING), pl.Int64)
    sums = dict.fromkeys(("storage_gb", "risk"), pl.Float64)
    texts = dict.fromkeys(("wave_name", "environments", "reason"), pl.String)
    order = list(WAVE_COLUMNS)
    waves = pl.DataFrame(rows, schema={name: {**counts, **sums, **texts}[name] for name in order})
    names = table.group_by("wave", maintain_order=True).agg(pl.col("name").str.join("; ").alias("application_names"))
    return waves.join(names, on="wave", how="left", maintain_order="left")


def _applications(table: pl.DataFrame) -> pl.DataFrame:
    """One row an application, in the order of the plan."""
    return table.select(
        *(
            "name",
            "wave",
            "move_group",
            "strategy",
            "confidence",
            "risk",
            "complexity",
            "rule",
            "reason",
            "suggestion",
            "suggestion_reason",
            "risk_level",
            "risk_reason",
            "risk_suggestion",
            "risk_suggestion_reason",
            "wave_reason",
        ),
        *("engine", "asset_count", "environment", "criticality", "business_owner", "technical_owner"),
        *("lifecycle_status", "data_classification", "inferred", "application_uid"),
    )


def _dependencies(dependencies: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """One row a dependency, with the waves of both ends."""
    waves = table.select("application_uid", "wave")
    for end in ("source", "target"):
        ends = waves.rename({"application_uid": f"{end}_application_uid", "wave": f"{end}_wave"})
        dependencies = dependencies.join(ends, on=f"{end}_application_uid", how="left", maintain_order="left")
    return dependencies.select(
        *("source_name", "source_wave", "target_name", "target_wave", "kind", "port", "observations", "evidence")
    )


def _quality(report: Report) -> pl.DataFrame:
    """One row a canonical field."""
    rows = [
        {
            "field_name": known.label if (known := CATALOG.get(quality.field)) else quality.field,
            "importance": known.importance if known else None,
            **quality.model_dump(),
        }
        for quality in report.quality.fields
    ]
    shares = dict.fromkeys(("completeness", "validity"), pl.Float64)
    texts = dict.fromkeys(("field_name", "importance"), pl.String)
    counts = dict.fromkeys(("filled", "invalid"), pl.Int64)
    return pl.DataFrame(rows, schema={**texts, **counts, **shares, "field": pl.String})


def _mappings(report: Report) -> pl.DataFrame:
    """One row a column of an imported file."""
    columns = ("column", "field", "confidence", "status", "unit", "reason", "alternatives")
    rows = [
        {
            "file": mapping.file_name,
            "sheet": mapping.sheet,
            **column.model_dump(include=set(columns) - {"alternatives"}),
            "alternatives": ", ".join(column.alternatives),
        }
        for mapping in report.mappings
        for column in mapping.columns
    ]
    schema = {name: pl.Float64 if name == "confidence" else pl.String for name in ("file", "sheet", *columns)}
    return pl.DataFrame(rows, schema=schema)
