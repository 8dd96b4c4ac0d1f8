"""A flow's timeline and what a search found, as tables."""

from collections.abc import Sequence
from uuid import UUID

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from contracts.rest_flows import FlowMatch, TimelineItem
from services.cli.flow_views import WIDE, coloured, new_table
from services.cli.terminal import out, program
from services.cli.wording import moment, waiting, words

CHECKPOINT = "◆"


def timeline_view(items: Sequence[TimelineItem]) -> RenderableType:
    """What happened, when, by whom, what the flow waited for then; checkpoints are marked."""
    if not items:
        return "Nothing has happened to this flow yet."
    wide = out.width >= WIDE
    table = new_table("", "No", "When", "What", "By", *(["Status", "Then waits for"] if wide else []))
    table.columns[1].justify = "right"
    for column in table.columns[1:3]:
        column.no_wrap = True
    for item in items:
        number = "" if item.refused else str(item.seq)
        mark = "[red]✗[/]" if item.refused else f"[cyan]{CHECKPOINT}[/]" if item.checkpoint else ""
        waits = waiting(item.waits_for, item.waits_until) if item.waits_for else ""
        what = item.note if wide or not waits else f"{item.note}\nthen waits for {waits}"
        more: list[RenderableType] = [coloured(item.status), Text(waits)] if wide else []
        table.add_row(mark, number, moment(item.at), Text(what), Text(_by(item)), *more)
    return table


def fork_hint(flow_id: UUID, items: Sequence[TimelineItem]) -> str | None:
    """How to begin a new flow from the last checkpoint, if there is one."""
    checkpoints = [item.seq for item in items if item.checkpoint]
    if not checkpoints:
        return None
    command = f"{program()} flows fork {flow_id} --at {checkpoints[-1]}"
    return f"[cyan]{CHECKPOINT}[/] a checkpoint: a new flow can begin there, such as with  {command}"


def _by(item: TimelineItem) -> str:
    """Who caused it: a person, the clock, or what another service said."""
    if item.actor is not None:
        return item.actor
    return "the clock" if item.cause == "clock" else item.cause


def match_table(matches: Sequence[FlowMatch]) -> RenderableType:
    """Flows that were found, and why."""
    wide = out.width >= WIDE
    table = new_table("Flow", *(["Type", "Status", "Created"] if wide else []), "Why")
    for column in table.columns[:-1]:
        column.no_wrap = True
    for match in matches:
        flow = match.flow
        about = [words(flow.flow_type), coloured(flow.status), moment(flow.created_at)]
        reasons = [escape(reason) for reason in match.reasons]
        why = reasons if wide else [f"{about[0]}, {about[1]}", *reasons]
        table.add_row(str(flow.flow_id), *(about if wide else []), "\n".join(why))
    return table
