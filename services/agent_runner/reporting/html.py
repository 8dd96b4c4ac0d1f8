"""The report as one HTML file that needs no network: styles and charts are inside, scripts there are none."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from contracts.catalog import CATALOG
from contracts.report import Count, Report
from services.agent_runner.reporting.charts import (
    Bar,
    Column,
    Slice,
    bar_chart,
    donut_chart,
    share_chart,
    wave_chart,
)
from services.agent_runner.reporting.tables import TREATMENTS
from services.agent_runner.reporting.wording import (
    TREATMENT_MEANINGS,
    counted,
    listed,
    percent,
    risk_band,
    share,
    size,
    told_of_agents,
    value_label,
)

# More columns than this would be thinner than a line of text is high.
WAVES_IN_CHART = 40
WAVES_IN_TABLE = 100
MAPPED_COLUMNS = 300

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(percent=percent, risk_band=risk_band, size=size, value_label=value_label)


def render_html(report: Report) -> str:
    """The whole page. Long tables are cut, saying so; the workbook has all rows."""
    columns = [(table, column) for table in report.mappings for column in table.columns]
    return _ENVIRONMENT.get_template("report.html.jinja").render(
        report=report,
        charts=_charts(report),
        counted=counted,
        listed=listed,
        share=share,
        meanings=TREATMENT_MEANINGS,
        told_of_agents=told_of_agents(report.agents),
        treatments_used=[name for name in TREATMENTS if any(wave.strategies.get(name) for wave in report.waves)],
        waves_in_chart=WAVES_IN_CHART,
        shown_waves=report.waves[:WAVES_IN_TABLE],
        shown_columns=columns[:MAPPED_COLUMNS],
        column_count=len(columns),
        field_labels={field.id: field.label for field in CATALOG.values()},
    )


def _charts(report: Report) -> dict[str, Markup]:
    """All charts of the page by name."""
    qualities = {quality.field: quality for quality in report.quality.fields}
    shown = [
        (field.label, qualities[field.id].completeness, qualities[field.id].validity)
        for importance in ("required", "high")
        for field in CATALOG.values()
        if field.importance == importance and field.id in qualities
        if importance == "required" or qualities[field.id].filled
    ]
    return {
        "environments": bar_chart("environments", "Assets by environment", _bars(report.environments)),
        "systems": bar_chart(
            "systems", "Assets by operating system", _bars(report.operating_systems, as_is=True), "past the end of life"
        ),
        "datacenters": bar_chart("datacenters", "Assets by data center", _bars(report.datacenters, as_is=True)),
        "treatments": donut_chart(
            "treatments",
            "Applications by treatment",
            [Slice(value_label(t.strategy), t.applications, t.strategy) for t in report.treatments],
            "applications" if sum(t.applications for t in report.treatments) != 1 else "application",
        ),
        "waves": wave_chart(
            "waves",
            "Applications by wave and treatment, with the risk of each wave",
            [
                Column(
                    str(wave.number),
                    wave.name,
                    tuple(Slice(value_label(name), number, name) for name, number in wave.strategies.items()),
                    wave.risk,
                )
                for wave in report.waves[:WAVES_IN_CHART]
            ],
            "applications",
        ),
        "quality": share_chart("quality", "Share of assets that have a value, by field", shown),
        "connected": bar_chart(
            "connected",
            "Most connected applications, by the number of other applications",
            [Bar(application.name, application.neighbours) for application in report.dependencies.most_connected],
        ),
    }


def _bars(counts: list[Count], as_is: bool = False) -> list[Bar]:
    """Counts as bars; `as_is` leaves names as the data has them."""
    return [
        Bar(
            count.label if as_is and count.label is not None else value_label(count.label),
            count.assets,
            count.past_end_of_life or 0,
        )
        for count in counts
    ]
