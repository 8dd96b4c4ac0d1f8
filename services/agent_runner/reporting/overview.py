"""The workbook's first sheet: key figures, the summary in sentences, breakdowns and native Excel charts."""

from collections.abc import Sequence
from typing import Any

from xlsxwriter.chart import Chart
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from contracts.report import Count, Report
from services.agent_runner.reporting.sheets import Formats
from services.agent_runner.reporting.tables import MOVING
from services.agent_runner.reporting.wording import told_of_agents, value_label

SHEET = "Summary"
# The columns of the sheet Waves; the chart of the waves reads its treatments from there.
WAVE_COLUMNS = (
    *("wave", "wave_name", "applications", "assets", "move_groups", "storage_gb", "risk"),
    *MOVING,
    *("environments", "reason"),
)
COLORS = {
    "rehost": "#2F6FD0",
    "replatform": "#0F8A7E",
    "refactor": "#7C4FD0",
    "repurchase": "#C25A14",
    "retire": "#69788A",
    "retain": "#9A7407",
}
LAST_COLUMN = 11
CHARACTERS_A_LINE = 140
LINE_HEIGHT = 15.5
CHART_ROWS = 16

Row = tuple[str, float | str | None, Format]


def write_overview(book: Workbook, formats: Formats, report: Report) -> None:
    """Write the sheet Summary. The book may be in constant memory: rows are written from top to bottom."""
    sheet = book.add_worksheet(SHEET)
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 2, 13)
    sheet.set_column(3, LAST_COLUMN, 11)
    sheet.set_row(0, 30)
    sheet.write_string(0, 0, report.title, formats.title)
    sheet.write_string(1, 0, f"{report.generated_at:%d %B %Y, %H:%M %Z} · from {', '.join(report.files)}"[:32_000])
    told = report.summary
    row = _write_sentences(sheet, formats, "What you have", told.situation, 3)
    row = _write_sentences(sheet, formats, "What it means", told.meaning, row)
    row = _write_sentences(sheet, formats, "What to do next", told.next_steps, row)
    row = _write_block(sheet, formats, row, "Key figures", ("", "Value"), _key_figures(formats, report))[1] + 2

    for title, counts in (
        ("Assets by environment", report.environments),
        ("Assets by operating system", report.operating_systems),
        ("Assets by data center", report.datacenters),
    ):
        rows = [(_label(count), count.assets, formats.integer) for count in counts]
        first, last = _write_block(sheet, formats, row, title, ("", "Assets"), rows)
        if rows:
            chart = book.add_chart({"type": "bar"})
            chart.add_series(
                {
                    **_series(first, last, rows),
                    "name": "Assets",
                    "fill": {"color": "#3B74C9"},
                    "gap": 40,
                    "data_labels": {"value": True},
                }
            )
            chart.set_y_axis({"reverse": True})
            chart.set_x_axis({"visible": False, "major_gridlines": {"visible": False}})
            chart.set_legend({"none": True})
            _place(sheet, chart, title, row, height=max(CHART_ROWS * 20, len(rows) * 24 + 80))
        row = max(last + 2, row + max(CHART_ROWS, len(rows) + 5) + 2)

    treatments: list[Row] = [(value_label(t.strategy), t.applications, formats.integer) for t in report.treatments]
    title = "Applications by treatment"
    first, last = _write_block(sheet, formats, row, title, ("", "Applications"), treatments)
    if treatments:
        chart = book.add_chart({"type": "doughnut"})
        points = [{"fill": {"color": COLORS[t.strategy]}} for t in report.treatments]
        chart.add_series({**_series(first, last, treatments), "points": points, "data_labels": {"percentage": True}})
        _place(sheet, chart, title, row)
    row = max(last + 2, row + CHART_ROWS + 2)

    if report.waves:
        sheet.write_string(row, 0, "Wave plan", formats.heading)
        sheet.write_string(row + 1, 0, "The sheet Waves has the figures.", formats.text)
        _place(sheet, _wave_chart(book, report), "Applications by wave and treatment", row)
        row += CHART_ROWS + 2
    findings = [
        f"[{finding.severity}] {finding.title}. {finding.detail} {finding.action}" for finding in report.findings
    ]
    row = _write_sentences(sheet, formats, "Open points", findings, row)
    _write_sentences(sheet, formats, "Who decided", told_of_agents(report.agents), row)


def _write_sentences(sheet: Worksheet, formats: Formats, title: str, sentences: Sequence[str], row: int) -> int:
    """Sentences under a title, each over the whole width; returns the row for what comes next."""
    sheet.write_string(row, 0, title, formats.heading)
    for number, sentence in enumerate(sentences, start=row + 1):
        sheet.set_row(number, LINE_HEIGHT * (1 + len(sentence) // CHARACTERS_A_LINE))
        sheet.merge_range(number, 0, number, LAST_COLUMN, "", formats.sentence)
        sheet.write_string(number, 0, sentence, formats.sentence)
    return row + len(sentences) + 2


def _key_figures(formats: Formats, report: Report) -> list[Row]:
    """The counts and sums, by name."""
    head, sums = report.headline, report.capacity
    counts = {
        "Assets": head.assets,
        "Applications": head.applications,
        "Dependencies": head.dependencies,
        "Waves": head.waves,
        "Applications in waves": head.applications_in_waves,
        "Rows read": head.rows_read,
        "Duplicates merged": head.duplicates_merged,
        "Rows rejected": head.rows_rejected,
        "Assets past the end of life": "not known" if head.past_end_of_life is None else head.past_end_of_life,
        "CPU cores": sums.cpu_cores.total,
        "Memory (GB)": sums.memory_gb.total,
        "Storage (GB)": sums.storage_gb.total,
    }
    shares = {"Data completeness": report.quality.completeness, "Data validity": report.quality.validity}
    return [
        *((label, value, formats.integer) for label, value in counts.items()),
        *((label, value, formats.percent) for label, value in shares.items()),
    ]


def _write_block(
    sheet: Worksheet, formats: Formats, row: int, title: str, header: Sequence[str], rows: Sequence[Row]
) -> tuple[int, int]:
    """A small table with its title; returns its first and its last row."""
    sheet.write_string(row, 0, title, formats.heading)
    for column, text in enumerate(header):
        sheet.write_string(row + 1, column, text, formats.header)
    first = row + 2
    for number, (label, value, style) in enumerate(rows, start=first):
        sheet.write_string(number, 0, label, formats.text)
        if isinstance(value, str):
            sheet.write_string(number, 1, value, formats.text)
        elif value is not None:
            sheet.write_number(number, 1, value, style)
    return first, first + max(len(rows), 1) - 1


def _series(first: int, last: int, rows: Sequence[Row]) -> dict[str, Any]:
    """A chart series over a block. The values are given too: a book in constant memory cannot read its cells back."""
    return {
        "categories": [SHEET, first, 0, last, 0],
        "categories_data": [label for label, _, _ in rows],
        "values": [SHEET, first, 1, last, 1],
        "values_data": [value for _, value, _ in rows],
    }


def _wave_chart(book: Workbook, report: Report) -> Chart:
    """Applications by wave, stacked by treatment."""
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    last = len(report.waves)
    numbers = WAVE_COLUMNS.index("wave")
    for treatment in MOVING:
        column = WAVE_COLUMNS.index(treatment)
        chart.add_series(
            {
                "name": value_label(treatment),
                "categories": ["Waves", 1, numbers, last, numbers],
                "categories_data": [wave.number for wave in report.waves],
                "values": ["Waves", 1, column, last, column],
                "values_data": [wave.strategies.get(treatment, 0) for wave in report.waves],
                "fill": {"color": COLORS[treatment]},
                "gap": 50,
            }
        )
    chart.set_x_axis({"name": "Wave"})
    chart.set_y_axis({"name": "Applications", "major_gridlines": {"visible": True, "line": {"color": "#D9E0E8"}}})
    chart.set_legend({"position": "bottom"})
    return chart


def _place(sheet: Worksheet, chart: Chart, title: str, row: int, height: int = CHART_ROWS * 20) -> None:
    """Put a chart right of the block that begins in `row`."""
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_size({"width": 640, "height": height})
    sheet.insert_chart(row, 3, chart, {"description": title})


def _label(count: Count) -> str:
    """A value as the data has it."""
    return count.label if count.label is not None else value_label(None)
