"""What a migration plan says, on a terminal: the figures of the JSON report, none of them made here."""

from collections.abc import Sequence
from itertools import chain

from rich.columns import Columns
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.catalog import CATALOG
from contracts.discovery import ColumnMapping, QualityReport, TableMapping
from contracts.report import Count, Finding, Report, Treatment, WaveSummary
from services.cli.approval_views import MOST_WAVES
from services.cli.flow_views import WIDE, new_table
from services.cli.terminal import out
from services.cli.wording import count, percent, table_name, words

BAR_CELLS = 12
RISK_CELLS = 8
EXAMPLES = 2
MOST_LABELS = 9
MOST_FINDINGS = 6
FINDING_EXAMPLES = 3
_SEVERITY = {"high": "red", "medium": "yellow", "low": "dim"}


def show_report(report: Report) -> None:
    """Print a plan and the inventory it stands on."""
    out.rule("[bold]What the data says[/]", align="left")
    for sentence in report.summary.situation:
        out.print(f"• {escape(sentence)}")
    out.print()
    out.print(
        Columns(
            [
                _assets_by("Environment", report.environments),
                _assets_by("Operating system", report.operating_system_families),
                _quality(report.quality),
            ],
            padding=(0, 3),
        )
    )
    out.print()
    out.rule("[bold]How the columns were understood[/]", align="left")
    for mapping in report.mappings:
        _show_mapping(mapping)
    out.print()
    out.rule("[bold]What to do with each application[/] (6R)", align="left")
    out.print(_treatments(report.treatments, report.headline.applications))
    out.print()
    out.rule("[bold]In which order[/]", align="left")
    out.print(_waves(report.waves))
    if more := report.waves[MOST_WAVES:]:
        rest = count(sum(wave.assets for wave in more), "asset")
        out.print(f"[dim]… and {count(len(more), 'more wave')} with {rest} in the report.[/]")
    if report.unplanned:
        stay = ", ".join(f"{number} to {words(treatment)}" for treatment, number in report.unplanned.items())
        out.print(f"In no wave: {stay}.")
    if report.findings:
        out.print()
        out.rule("[bold]What to look at first[/]", align="left")
        _show_findings(report.findings)


def _assets_by(title: str, counts: Sequence[Count]) -> Table:
    table = new_table(title, "Assets", "")
    table.columns[1].justify = "right"
    most = max((each.assets for each in counts), default=1)
    rest = sum(each.assets for each in counts[MOST_LABELS:])
    for each in counts[:MOST_LABELS]:
        bar = "█" * max(1, round(BAR_CELLS * each.assets / most))
        table.add_row(Text(each.label or "not known"), f"{each.assets:,}", f"[cyan]{bar}[/]")
    if rest:
        table.add_row("[dim]others[/]", f"{rest:,}", "")
    return table


def _quality(quality: QualityReport) -> Table:
    table = new_table("Data quality", "")
    table.columns[1].justify = "right"
    for name in ("completeness", "validity", "uniqueness"):
        ratio = getattr(quality, name)
        colour = "green" if ratio >= 0.95 else "yellow" if ratio >= 0.8 else "red"
        table.add_row(name.capitalize(), f"[{colour}]{percent(ratio)}[/]")
    table.add_row("Rows read", f"{quality.rows_read:,}")
    table.add_row("Duplicates merged", f"{quality.duplicates_merged:,}")
    table.add_row("Rows rejected", f"{quality.rows_rejected:,}")
    for field in quality.fields:
        if CATALOG[field.field].importance == "required":
            table.add_row(f"[dim]{CATALOG[field.field].label} known[/]", f"[dim]{percent(field.completeness)}[/]")
    return table


def _show_mapping(mapping: TableMapping) -> None:
    mapped = [column for column in mapping.columns if column.field]
    unmapped = [column.column for column in mapping.columns if not column.field]
    average = sum(column.confidence for column in mapped) / len(mapped) if mapped else 0
    name = escape(table_name(mapping.file_name, mapping.sheet))
    sure = f", average confidence {percent(average)}" if mapped else ""
    out.print(f"[bold]{name}[/]  {len(mapped)} of {count(len(mapping.columns), 'column')} mapped{sure}")
    half = -(-len(mapped) // 2) if out.width >= WIDE else len(mapped)
    grid = Table.grid(padding=(0, 3))
    for left, right in zip(mapped[:half], [*mapped[half:], *[None] * half], strict=False):
        grid.add_row(*_cells(left), *(_cells(right) if right else ()))
    out.print(Padding(grid, (0, 0, 0, 2)))
    if unmapped:
        out.print(Padding(Text(f"Mapped to nothing: {', '.join(unmapped)}", style="dim"), (0, 0, 0, 2)))
    out.print()


def _cells(column: ColumnMapping) -> tuple[Text, Text, str]:
    unit = f" ({column.unit})" if column.unit else ""
    colour = "green" if column.confidence >= 0.9 else "yellow"
    return Text(column.column), Text(f"→ {column.field}{unit}"), f"[{colour}]{percent(column.confidence)}[/]"


def _treatments(treatments: Sequence[Treatment], applications: int) -> Table:
    wide = out.width >= WIDE
    columns = ("Treatment", "Applications", "", "Assets", "Confidence")
    table = new_table(*columns, *(["For example"] if wide else []))
    for number in (1, 3, 4):
        table.columns[number].justify = "right"
    for treatment in treatments:
        if not treatment.applications:
            continue
        bar = "█" * max(1, round(BAR_CELLS * treatment.applications / max(applications, 1)))
        why = [Text(example.reason) for example in treatment.examples[:1]] if wide else []
        figures = (f"[cyan]{bar}[/]", f"{treatment.assets:,}", percent(treatment.average_confidence))
        table.add_row(treatment.strategy, f"{treatment.applications:,}", *figures, *why)
    return table


def _waves(waves: Sequence[WaveSummary]) -> Table:
    wide = out.width >= WIDE
    columns = ("Wave", "Name", "Apps", "Assets", "Storage", "Risk", "", "Treatments")
    table = new_table(*columns, *(["Largest applications"] if wide else []))
    for number in (0, 2, 3, 4, 5):
        table.columns[number].justify = "right"
    for wave in waves[:MOST_WAVES]:
        storage = f"{wave.storage_gb / 1024:,.1f} TB" if wave.storage_gb >= 1024 else f"{wave.storage_gb:,.0f} GB"
        colour = "green" if wave.risk < 0.4 else "yellow" if wave.risk < 0.7 else "red"
        risk = (f"{wave.risk:.2f}", f"[{colour}]{'█' * max(1, round(RISK_CELLS * wave.risk))}[/]")
        treatments = ", ".join(f"{number} {words(strategy)}" for strategy, number in wave.strategies.items() if number)
        row = (f"{wave.applications:,}", f"{wave.assets:,}", storage, *risk, treatments)
        largest = [Text(", ".join(wave.examples[:EXAMPLES]))] if wide else []
        table.add_row(str(wave.number), Text(wave.name), *row, *largest)
    return table


def _show_findings(findings: Sequence[Finding]) -> None:
    ordered = list(chain.from_iterable([f for f in findings if f.severity == level] for level in _SEVERITY))
    for finding in ordered[:MOST_FINDINGS]:
        out.print(f"[{_SEVERITY[finding.severity]}]●[/] [bold]{escape(finding.title)}[/]")
        named = f" ({', '.join(finding.examples[:FINDING_EXAMPLES])})" if finding.examples else ""
        out.print(Padding(Text(f"{finding.detail} {finding.action}{named}"), (0, 0, 0, 2)))
    if len(ordered) > MOST_FINDINGS:
        out.print(f"[dim]… and {count(len(ordered) - MOST_FINDINGS, 'more finding')} in the report.[/]")
    out.print()
