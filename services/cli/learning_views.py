"""Learnings, their effect and lessons, as people read them."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from contracts.learning import ColumnChange, Effect, Teaching
from contracts.rest_learning import LearningView, LessonAnalysis, LessonView
from services.cli.flow_views import new_table
from services.cli.terminal import out, program
from services.cli.wording import count, moment

_COLOURS = {"proposed": "yellow", "applied": "green", "refused": "red", "undone": "dim", "discarded": "dim"}


def says(teaching: Teaching) -> str:
    """What is taught of a column, such as `→ memory_gb` or `is not dr_tier`."""
    if teaching.verdict == "in_unit":
        return f"is in {teaching.unit}"
    return f"is not {teaching.field}" if teaching.verdict == "is_not" else f"→ {teaching.field or 'nothing'}"


def learning_table(learnings: Iterable[LearningView]) -> RenderableType:
    """Learnings, one a row."""
    table = new_table("Learning", "Status", "By", "When", "How", "Teaches")
    table.columns[0].no_wrap = True
    for each in learnings:
        status = f"[{_COLOURS.get(each.status, 'default')}]{each.status}[/]"
        row = (each.origin.by, moment(each.origin.at), each.origin.how)
        table.add_row(str(each.learning_id), status, *(Text(part) for part in row), Text(summary(each)))
    return table


def summary(learning: LearningView) -> str:
    """What a learning teaches or forgets, in a line."""
    parts = [f"{lesson.column} {says(lesson)}" for lesson in learning.lessons[:3]]
    if len(learning.lessons) > 3:
        parts.append(f"and {len(learning.lessons) - 3} more")
    if learning.forgets:
        parts.append(f"forgets {count(len(learning.forgets), 'lesson')}")
    if learning.problem is not None:
        parts.append(learning.problem.detail)
    return ", ".join(parts)


def say_learning(learning: LearningView) -> None:
    """Show a learning with its effect, and what can be done with it."""
    mark = {"applied": "[green]✓[/]", "refused": "[red]✗[/]", "undone": "[green]✓[/]"}.get(learning.status, "·")
    out.print(f"{mark} {learning.status.capitalize()}: {learning.learning_id}", soft_wrap=True)
    out.print(f"  {summary(learning)}", markup=False, soft_wrap=True)
    if learning.effect is not None:
        out.print(effect_view(learning.effect))
    for field in learning.kept_fields or []:
        out.print(f"  The field {field.field_id} stays: {field.reason}", markup=False, soft_wrap=True)
    if learning.status == "proposed":
        out.print(f"  It does not count yet. Apply it:  {program()} learn apply {learning.learning_id}", soft_wrap=True)
    if learning.status == "applied":
        out.print(f"  Take it back:  {program()} learn undo {learning.learning_id}", soft_wrap=True)


def effect_view(effect: Effect) -> RenderableType:
    """What a learning changes, table by table."""
    looked_at = count(effect.tables_looked_at, "saved table")
    if not effect.tables_changed:
        return f"  It changes nothing in {looked_at}; it counts for what is imported from now on."
    parts: list[RenderableType] = []
    for changed in effect.tables_changed:
        table = new_table("Column", "Before", "After", title=changed.source_name)
        for column in changed.columns:
            table.add_row(Text(column.column), _before(column), _after(column))
        parts.append(table)
        filled = [field for field in changed.missing_before if field not in changed.missing_after]
        lost = [field for field in changed.missing_after if field not in changed.missing_before]
        if filled:
            parts.append(f"  No longer missing: {', '.join(filled)}.")
        if lost:
            parts.append(f"  Missing then: {', '.join(lost)}.")
    parts.append(f"  Of {looked_at} it changes {len(effect.tables_changed)}.")
    return Group(*parts)


def _before(column: ColumnChange) -> str:
    return _proposal(column.field_before, column.unit_before, column.status_before)


def _after(column: ColumnChange) -> str:
    return _proposal(column.field_after, column.unit_after, column.status_after)


def _proposal(field: str | None, unit: str | None, status: str) -> str:
    return f"{field or 'nothing'}{f' in {unit}' if unit else ''} ({status})"


def lesson_table(lessons: Iterable[LessonView], title: str | None = None) -> RenderableType:
    """Lessons, one a row."""
    table = new_table("Lesson", "Column", "Says", "For", "By", "When", "How", title=title)
    table.columns[0].no_wrap = True
    for each in lessons:
        scope = each.source_name or ("all files" if each.source_id is None else str(each.source_id))
        parts = (each.column, says(each), scope, each.origin.by, moment(each.origin.at), each.origin.how)
        table.add_row(str(each.lesson_id), *(Text(part) for part in parts))
    return table


def analysis_view(analysis: LessonAnalysis) -> RenderableType:
    """What was taught, as a whole."""
    origins = ", ".join(f"{number:,} by {how}" for how, number in analysis.by_origin.items())
    table = new_table("Field", "Lessons", "Corrections")
    for each in analysis.fields:
        table.add_row(each.field or "nothing", f"{each.lessons:,}", f"{each.corrections:,}")
    parts: list[RenderableType] = [f"{count(analysis.lessons, 'lesson')}{f': {origins}' if origins else ''}.", table]
    parts += [
        lesson_table(pair.lessons, f"“{pair.column}” does not mean the same everywhere")
        for pair in analysis.contradictions
    ]
    if analysis.unused:
        parts.append(lesson_table(analysis.unused, "No saved mapping has these columns"))
    return Group(*parts)
