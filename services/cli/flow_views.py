"""Flows and what they ask of people, as tables."""

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from contracts.discovery import ColumnMapping, TableMapping
from contracts.planning import Wave
from contracts.rest import ApprovalView, FlowDetail, FlowView
from services.cli.terminal import out, program
from services.cli.wording import count, moment, percent, summary_of, table_name, took, words

# Columns that a terminal needs for the tables with everything in them.
WIDE = 100
# More waves than this are for the report and not for a terminal.
MOST_WAVES = 20

_COLOURS = {"completed": "green", "running": "cyan", "waiting": "yellow", "failed": "red", "cancelled": "red"}
_MARKS: dict[str, str] = {
    "completed": "[green]✓[/]",
    "running": "[cyan]▶[/]",
    "waiting": "[yellow]⏸[/]",
    "failed": "[red]✗[/]",
    "pending": "[dim]·[/]",
}


def new_table(*columns: str, title: str | None = None) -> Table:
    """A table as all commands show it."""
    table = Table(*columns, box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.header_style = "bold"
    return table


def flow_table(flows: Iterable[FlowView]) -> Table:
    """Flows, one a row."""
    wide = out.width >= WIDE
    table = new_table("Flow", "Type", "Status", *(["Started"] if wide else []), "Phase")
    for column in table.columns[:-1]:
        column.no_wrap = True
    for flow in flows:
        status = f"[{_COLOURS[flow.status]}]{flow.status}[/]"
        about = flow.problem.detail if flow.problem else flow.waits_for
        phase = ": ".join(escape(part) for part in (words(flow.current_phase or ""), about or "") if part)
        started = [moment(flow.created_at)] if wide else []
        table.add_row(str(flow.flow_id), flow.flow_type, status, *started, phase)
    return table


def flow_view(flow: FlowDetail) -> RenderableType:
    """One flow with its phases."""
    heading = f"[bold]{words(flow.flow_type).capitalize()}[/] {flow.flow_id}  [{_COLOURS[flow.status]}]{flow.status}[/]"
    table = new_table("", "Phase", "Attempt", "Took", "Result")
    for phase in flow.phases:
        duration = took(phase.started_at, phase.finished_at)
        attempt = str(phase.attempt) if phase.attempt else ""
        table.add_row(
            _MARKS.get(phase.status, phase.status),
            words(phase.name),
            attempt,
            duration,
            escape(summary_of(phase.summary)),
        )
    lines: list[RenderableType] = [heading, f"Started {moment(flow.created_at)}"]
    if flow.parent_flow_id:
        lines.append(f"Started by the flow {flow.parent_flow_id}")
    lines += [f"Followed by the flow {following}" for following in flow.next_flow_ids]
    if flow.waits_for:
        until = f" until {moment(flow.waits_until)}" if flow.waits_until else ""
        lines.append(f"Waits for {escape(flow.waits_for)}{until}")
    lines.append(table)
    if flow.problem:
        lines.append(f"[red]✗[/] {escape(flow.problem.detail)}")
    if flow.report_formats:
        lines.append(f"Report: GET /api/v1/reports/{flow.flow_id}/{{{','.join(flow.report_formats)}}}")
    return Group(*lines)


def say_what_waits(flows: list[FlowDetail]) -> None:
    """Close what was watched: all is done, or a person has to decide first."""
    waiting = [flow for flow in flows if flow.pending_approval_ids]
    for flow in waiting:
        out.print(f"[yellow]⏸[/] The {words(flow.flow_type)} waits for a decision: {escape(flow.waits_for or '')}")
        out.print(f"  Look at it:  {program()} flows approve {flow.flow_id} --show", soft_wrap=True)
        out.print(f"  Approve it:  {program()} flows approve {flow.flow_id}", soft_wrap=True)
    if not waiting:
        names = ", ".join(words(flow.flow_type) for flow in flows)
        out.print(f"[green]✓[/] Completed: {names}.")
    for flow in flows:
        if flow.report_formats:
            out.print(
                f"  Report: GET /api/v1/reports/{flow.flow_id}/{{{','.join(flow.report_formats)}}}", soft_wrap=True
            )


def mapping_table(columns: Iterable[ColumnMapping], title: str | None = None) -> Table:
    """Columns and what they were taken for."""
    table = new_table("Column", "Field", "Confidence", "Unit", "Status", "Reason", title=title)
    table.columns[2].justify = "right"
    table.columns[0].overflow = table.columns[1].overflow = "fold"
    colours = {"accepted": "green", "review": "yellow", "unmapped": "dim"}
    for column in columns:
        table.add_row(
            Text(column.column),
            column.field or "–",
            percent(column.confidence) if column.field else "",
            column.unit or "",
            f"[{colours[column.status]}]{column.status}[/]",
            Text(column.reason),
        )
    return table


def approval_view(approval: ApprovalView) -> RenderableType:
    """What a person is asked: the doubtful columns of a mapping, or the waves of a plan."""
    if approval.kind == "field_mapping":
        return _doubtful_columns(approval.details)
    return _waves(approval.details)


def _doubtful_columns(details: dict[str, Any]) -> RenderableType:
    mappings = [TableMapping.model_validate(mapping) for mapping in details["mappings"]]
    parts: list[RenderableType] = []
    for mapping in mappings:
        doubtful = [column for column in mapping.columns if column.status == "review"]
        clear = len(mapping.columns) - len(doubtful)
        name = table_name(mapping.file_name, mapping.sheet)
        if not doubtful:
            parts.append(f"[bold]{escape(name)}[/]  {count(clear, 'column')}, none doubtful")
            continue
        title = f"{escape(name)}  {count(len(doubtful), 'doubtful column')}, {clear} clear"
        table = new_table("Column", "Proposed", "Confidence", "Else", "Why", title=title)
        table.columns[2].justify = "right"
        for column in doubtful:
            proposed = f"{column.field} ({column.unit})" if column.unit else column.field or "–"
            others = ", ".join(column.alternatives[:2])
            table.add_row(Text(column.column), proposed, percent(column.confidence), others, Text(column.reason))
        parts.append(table)
    return Group(*parts)


def _waves(details: dict[str, Any]) -> RenderableType:
    waves = [Wave.model_validate(wave) for wave in details["waves"]]
    table = new_table("Wave", "Name", "Applications", "Assets", "Move groups", "Risk")
    for column in table.columns[2:]:
        column.justify = "right"
    for wave in waves[:MOST_WAVES]:
        figures = (str(len(wave.application_ids)), str(wave.asset_count), str(wave.move_groups), f"{wave.risk:.2f}")
        table.add_row(str(wave.number), Text(wave.name), *figures)
    lines: list[RenderableType] = [table]
    if more := waves[MOST_WAVES:]:
        rest = count(sum(wave.asset_count for wave in more), "asset")
        lines.append(f"[dim]… and {count(len(more), 'more wave')} with {rest}.[/]")
    stay = ", ".join(f"{words(treatment)} {number}" for treatment, number in details["unplanned"].items())
    return Group(*lines, f"In no wave: {stay}" if stay else "Every application is in a wave.")
