"""Flows and what they ask of people, as tables."""

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from contracts.discovery import ColumnMapping
from contracts.rest import FlowDetail, FlowView
from services.cli.terminal import out, program
from services.cli.wording import moment, percent, summary_of, took, waiting, words

# Columns that a terminal needs for the tables with everything in them.
WIDE = 100

_COLOURS = {
    **dict.fromkeys(("created", "scheduled", "queued", "skipped"), "dim"),
    **dict.fromkeys(("waiting", "paused", "backing_off"), "yellow"),
    **dict.fromkeys(("failed", "cancelled"), "red"),
    "running": "cyan",
    "completed": "green",
}
_MARKS: dict[str, str] = {
    "completed": "[green]✓[/]",
    "running": "[cyan]▶[/]",
    "waiting": "[yellow]⏸[/]",
    "backing_off": "[yellow]↻[/]",
    "failed": "[red]✗[/]",
    "cancelled": "[red]✗[/]",
    "skipped": "[dim]↷[/]",
    "pending": "[dim]·[/]",
}


def coloured(status: str) -> str:
    """A status as markup."""
    return f"[{_COLOURS.get(status, 'default')}]{status}[/]"


def new_table(*columns: str, title: str | None = None) -> Table:
    """A table as all commands show it."""
    table = Table(*columns, box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.header_style = "bold"
    return table


def flow_table(flows: Iterable[FlowView]) -> Table:
    """Flows, one a row."""
    wide = out.width >= WIDE
    table = new_table("Flow", "Type", "Status", *(["Created"] if wide else []), "Phase")
    for column in table.columns[:-1]:
        column.no_wrap = True
    for flow in flows:
        status = coloured(flow.status)
        about = flow.problem.detail if flow.problem else flow.waits_for
        phase = ": ".join(escape(part) for part in (words(flow.current_phase or ""), about or "") if part)
        created = [moment(flow.created_at)] if wide else []
        table.add_row(str(flow.flow_id), flow.flow_type, status, *created, phase)
    return table


def flow_view(flow: FlowDetail) -> RenderableType:
    """One flow with its phases."""
    heading = f"[bold]{words(flow.flow_type).capitalize()}[/] {flow.flow_id}  {coloured(flow.status)}"
    table = new_table("", "Phase", "Attempt", "Took", "Result")
    for phase in flow.phases:
        duration = took(phase.started_at, phase.finished_at)
        attempt = str(phase.attempt) if phase.attempt else ""
        failure = phase.problem.detail if phase.problem and phase.status in ("backing_off", "failed") else ""
        again = f"to be tried again at {moment(phase.due)}: " if phase.status == "backing_off" and phase.due else ""
        result = f"{again}{failure}" if again else summary_of(phase.summary)
        table.add_row(_MARKS.get(phase.status, phase.status), words(phase.name), attempt, duration, escape(result))
    lines: list[RenderableType] = [heading, *_about(flow)]
    if flow.waits_for:
        lines.append(f"Waits for {escape(waiting(flow.waits_for, flow.waits_until))}")
    lines.append(table)
    if flow.problem:
        lines.append(f"[red]✗[/] {escape(flow.problem.detail)}")
    if (refused := flow.last_refusal) is not None and refused.at >= flow.updated_at:
        told = f"{refused.requested_by} asked to {refused.action} at {moment(refused.at)}: {refused.problem.detail}"
        lines.append(f"[red]✗[/] Refused, nothing changed. {escape(told)}")
    if flow.possible_actions:
        lines.append(f"[dim]Possible now: {', '.join(flow.possible_actions)}[/]")
    if flow.report_formats:
        lines.append(f"Report: GET /api/v1/reports/{flow.flow_id}/{{{','.join(flow.report_formats)}}}")
    return Group(*lines)


def _about(flow: FlowDetail) -> list[RenderableType]:
    """Where a flow comes from, and how it was asked to run."""
    lines = [f"Created {moment(flow.created_at)}"]
    if flow.started_at:
        lines[0] += f", began {moment(flow.started_at)}"
    if flow.ended_at:
        lines[0] += f", ended {moment(flow.ended_at)}"
    if flow.correlation_id:
        lines.append(f"Known to its caller as {flow.correlation_id}")
    if flow.parent_flow_id:
        lines.append(f"Follows the flow {flow.parent_flow_id}")
    if flow.forked_from:
        lines.append(f"Forked from the flow {flow.forked_from}")
    lines += [f"Followed by the flow {following}" for following in flow.next_flow_ids]
    limits = [
        f"priority {flow.priority}" if flow.priority else "",
        f"one at a time with the key {flow.concurrency_key}" if flow.concurrency_key else "",
        f"to end by {moment(flow.deadline)}" if flow.deadline else "",
    ]
    if any(limits):
        lines.append(", ".join(filter(None, limits)).capitalize())
    return [escape(line) for line in lines]


def say_what_waits(flows: list[FlowDetail]) -> None:
    """Close what was watched: all is done, or a person has to decide first."""
    asking = [flow for flow in flows if flow.pending_approval_ids]
    for flow in asking:
        out.print(f"[yellow]⏸[/] The {words(flow.flow_type)} waits for a decision: {escape(flow.waits_for or '')}")
        out.print(f"  Look at it:  {program()} flows approve {flow.flow_id} --show", soft_wrap=True)
        out.print(f"  Approve it:  {program()} flows approve {flow.flow_id}", soft_wrap=True)
    for flow in flows:
        say_how_to_go_on(flow)
    if not asking and all(flow.status == "completed" for flow in flows):
        names = ", ".join(words(flow.flow_type) for flow in flows)
        out.print(f"[green]✓[/] Completed: {names}.")
    for flow in flows:
        if flow.report_formats:
            out.print(
                f"  Report: GET /api/v1/reports/{flow.flow_id}/{{{','.join(flow.report_formats)}}}", soft_wrap=True
            )


def say_how_to_go_on(flow: FlowDetail) -> None:
    """Name the command that moves a flow on which nothing else would move."""
    action = {"created": "start", "paused": "resume"}.get(flow.status)
    if action is not None:
        out.print(f"[yellow]⏸[/] The {words(flow.flow_type)} is {flow.status} and waits for somebody to {action} it.")
        out.print(f"  {program()} flows {action} {flow.flow_id}", soft_wrap=True)


def mapping_table(columns: Iterable[ColumnMapping], title: str | None = None) -> Table:
    """Columns and what they were taken for."""
    table = new_table("Column", "Field", "Confidence", "Unit", "Status", "Reason", title=title)
    table.columns[2].justify = "right"
    table.columns[0].overflow = table.columns[1].overflow = "fold"
    colours = {"accepted": "green", "review": "yellow", "unmapped": "dim"}
    for column in columns:
        table.add_row(
            Text(column.column),
            # How sure it is that a column means nothing matters, too; of one that was only heard of nothing is known.
            column.field or ("nothing" if column.confidence else "–"),
            percent(column.confidence) if column.confidence else "",
            column.unit or "",
            f"[{colours[column.status]}]{column.status}[/]",
            Text(column.reason),
        )
    return table
