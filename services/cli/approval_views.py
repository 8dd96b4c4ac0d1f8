"""What a flow asks of people, as they read it before they decide."""

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from contracts.catalog import CATALOG
from contracts.discovery import PhaseReadiness, TableMapping
from contracts.planning import Wave
from contracts.rest import ApprovalView
from services.cli.flow_views import new_table
from services.cli.terminal import program
from services.cli.wording import count, percent, table_name, words

# More waves than this are for the report and not for a terminal.
MOST_WAVES = 20
MOST_ENTRIES = 20
# Of a wave's risks; the report has more of each.
MOST_RISKS = 1


def approval_view(approval: ApprovalView) -> RenderableType:
    """What a person is asked: the doubtful columns of a mapping, the waves of a plan, or whatever else it is."""
    if approval.kind == "field_mapping":
        return _doubtful_columns(approval.details)
    if approval.kind == "wave_plan":
        return _waves(approval.details)
    if approval.kind == "readiness":
        return not_ready([PhaseReadiness.model_validate(phase) for phase in approval.details["phases"]])
    return _put_out(approval.details)


def not_ready(phases: Iterable[PhaseReadiness]) -> RenderableType:
    """What phases lack: each figure with how many are behind it, some of them, and how to see all."""
    parts: list[RenderableType] = []
    for phase in phases:
        parts.append(f"[bold]{words(phase.phase).capitalize()}[/] is not ready:")
        for low in phase.failures:
            figure = f"{low.figure[:1].upper()}{low.figure[1:]} is {percent(low.value)} of {percent(low.needed)} needed"
            behind = f": {low.lacking:,} of {low.total:,} are without." if low.total else "."
            parts.append(Text(f"  {figure}{behind} {low.advice}"))
            named = ", ".join(f"{each.name} ({each.source_rows})" for each in low.examples[:3])
            if named:
                parts.append(Text(f"    Such as {named}", style="dim"))
            if low.of in CATALOG:
                flow = f" --flow {phase.flow_id}" if phase.flow_id else ""
                parts.append(Text(f"    All of them:  {program()} assets list --missing {low.of}{flow}", style="dim"))
    return Group(*parts)


def _doubtful_columns(details: dict[str, Any]) -> RenderableType:
    mappings = [TableMapping.model_validate(mapping) for mapping in details["mappings"]]
    advice = {answer["key"]: answer for answer in (details.get("advice") or {}).get("output", {}).get("answers", ())}
    parts: list[RenderableType] = _about_advice(details)
    for mapping in mappings:
        doubtful = [column for column in mapping.columns if column.status == "review"]
        clear = len(mapping.columns) - len(doubtful)
        name = table_name(mapping.file_name, mapping.sheet)
        parts += [Text(f"  {each.reason}") for each in (mapping.source.drift if mapping.source else [])]
        if not doubtful:
            parts.append(f"[bold]{escape(name)}[/]  {count(clear, 'column')}, none doubtful")
            continue
        title = f"{escape(name)}  {count(len(doubtful), 'doubtful column')}, {clear} clear"
        table = new_table("Column", "Proposed", "Confidence", "Else", "Why", title=title)
        table.columns[2].justify = "right"
        if advice:
            table.add_column("Agent")
        for column in doubtful:
            proposed = f"{column.field} ({column.unit})" if column.unit else column.field or "nothing"
            others = ", ".join(column.alternatives[:2])
            row: list[RenderableType] = [
                Text(column.column),
                proposed,
                percent(column.confidence),
                others,
                Text(column.reason),
            ]
            said = advice.get(f"{mapping.table_id}|{column.column}"[:500])
            table.add_row(*row, *([_opinion(said)] if advice else []))
        parts.append(table)
    return Group(*parts)


def _about_advice(details: dict[str, Any]) -> list[RenderableType]:
    """Who looked at the columns beside the rules, or why nobody did."""
    advice, problem = details.get("advice"), details.get("advice_problem")
    if problem is not None:
        return [Text(f"  No agent's opinion: {problem['detail']}", style="dim")]
    if advice is None:
        return []
    why = f" {advice['fallback']['detail']}" if advice.get("fallback") else ""
    return [Text(f"  {advice['model'] or 'Rules'} (prompts {advice['prompt_version']}): {advice['rationale']}{why}")]


def _opinion(said: dict[str, Any] | None) -> Text:
    """An agent's answer about one column."""
    if said is None:
        return Text("–")
    field = f"{said['field']} ({said['unit']})" if said.get("unit") else said["field"] or "nothing"
    return Text(f"{field}, {percent(said['confidence'])}: {said['rationale']}")


def _put_out(details: dict[str, Any]) -> RenderableType:
    """What agents put out, a line a fact, lists as such."""
    lines: list[RenderableType] = []
    for name, value in details.items():
        label = f"{words(name).capitalize()}:"
        if isinstance(value, list):
            lines.append(Text(f"{label} {count(len(value), 'entry', 'entries')}"))
            lines += [Text(f"  • {_fact(each)}") for each in value[:MOST_ENTRIES]]
            if len(value) > MOST_ENTRIES:
                lines.append(Text(f"  … and {len(value) - MOST_ENTRIES} more", style="dim"))
        else:
            lines.append(Text(f"{label} {_fact(value)}"))
    return Group(*lines) if lines else Text("Nothing was put out beside the question.")


def _fact(value: Any) -> str:
    """One value: an object as its members, everything else as it is written."""
    if isinstance(value, dict):
        return "; ".join(f"{words(name)}: {_fact(each)}" for name, each in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


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
    for wave in waves[:MOST_WAVES]:
        about = f"  Wave {wave.number}: "
        lines += [Text(f"{about}{risk}", style="dim") for risk in wave.risks[:MOST_RISKS]]
        lines += [Text(f"{about}suggested: {suggestion}") for suggestion in wave.suggestions]
    stay = ", ".join(f"{words(treatment)} {number}" for treatment, number in details["unplanned"].items())
    return Group(*lines, f"In no wave: {stay}" if stay else "Every application is in a wave.")
