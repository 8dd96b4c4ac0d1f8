"""Spans of crews, tasks, agents and tools in our own trace, made from the events that CrewAI tells.

Its handlers run later, in threads of their own and in any order. So a span's id comes from the id of the event that
began it, which whatever runs inside knows at once, and the span is written when its beginning and its end are known.
"""

import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer

from services.chassis.telemetry import span_id

# Of an event that begins a scope: what the span is called, and which operation of the conventions it is.
BEGINNINGS = {
    "crew_kickoff_started": ("crew", "crew_name", "invoke_workflow"),
    "task_started": ("task", "task_name", "run_task"),
    "agent_execution_started": ("invoke_agent", "agent_role", "invoke_agent"),
    "tool_usage_started": ("execute_tool", "tool_name", "execute_tool"),
}
FAILURES = frozenset({"crew_kickoff_failed", "task_failed", "agent_execution_error", "tool_usage_error"})
# Scopes that never end, as those of a cancelled run, are forgotten after so many others.
KNOWN_AT_ONCE = 2_000
LONGEST_NAME = 60
LONGEST_TEXT = 8_000

# What the spans of a run's tools may tell of a text; it is known wherever the run's events are heard.
_telling: ContextVar[Callable[[str], str | None] | None] = ContextVar("telling", default=None)
_watching: "list[CrewSpans]" = []


class CrewSpans:
    """Joins beginnings and ends to spans of one tracer."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self._half: OrderedDict[str, tuple[Any, Context | None]] = OrderedDict()

    def began(self, _source: Any, event: Any) -> None:
        """A scope began; its place in the trace is where the event was told."""
        parent = below_crew(event.event_id)
        if trace.get_current_span(parent).get_span_context().is_valid:
            self._join(event.event_id, event, parent)

    def ended(self, _source: Any, event: Any) -> None:
        """A scope ended, well or badly."""
        if event.started_event_id is not None:
            self._join(event.started_event_id, event, None)

    def _join(self, key: str, event: Any, parent: Context | None) -> None:
        known = self._half.pop(key, None)
        if known is None:
            self._half[key] = event, parent
            while len(self._half) > KNOWN_AT_ONCE:
                self._half.popitem(last=False)
            return
        first, last = (event, known[0]) if parent is not None else (known[0], event)
        self._write(first, last, known[1] if parent is None else parent)

    def _write(self, began: Any, ended: Any, parent: Context | None) -> None:
        kind, field, operation = BEGINNINGS[began.type]
        told = getattr(began, field, None) or getattr(getattr(began, "agent", None), "role", None) or ""
        name = " ".join(str(told).split())[:LONGEST_NAME]
        attributes = {"gen_ai.operation.name": operation, f"gen_ai.{_subject(kind)}.name": name}
        if kind == "execute_tool":
            attributes |= _of_call(began, ended)
        with span_id(_id_of(began.event_id)):
            span = self.tracer.start_span(
                f"{kind} {name}" if kind != "task" else kind,
                context=parent,
                kind=SpanKind.INTERNAL,
                attributes=attributes if kind != "task" else {"gen_ai.operation.name": operation},
                start_time=_nanoseconds(began),
            )
        if ended.type in FAILURES or getattr(ended, "failure", None) is not None:
            span.set_status(Status(StatusCode.ERROR, ended.type))
        span.end(_nanoseconds(ended))


@contextmanager
def telling(told: Callable[[str], str | None]) -> Iterator[None]:
    """Let the spans of tools tell of arguments and results what `told` makes of them, if anything."""
    before = _telling.set(told)
    try:
        yield
    finally:
        _telling.reset(before)


def _of_call(began: Any, ended: Any) -> dict[str, str]:
    told = _telling.get()
    if told is None:
        return {}
    arguments, result = told(json.dumps(began.tool_args, default=str)), told(str(getattr(ended, "output", "")))
    said = {"gen_ai.tool.call.arguments": arguments, "gen_ai.tool.call.result": result}
    return {name: text[:LONGEST_TEXT] for name, text in said.items() if text is not None}


def watch_crews(tracer: Tracer) -> None:
    """Make spans of what crews of this process do from now on, with this tracer in place of an earlier one."""
    if _watching:
        _watching[0].tracer = tracer
        return
    from crewai.events import (
        AgentExecutionCompletedEvent,
        AgentExecutionErrorEvent,
        AgentExecutionStartedEvent,
        CrewKickoffCompletedEvent,
        CrewKickoffFailedEvent,
        CrewKickoffStartedEvent,
        TaskCompletedEvent,
        TaskFailedEvent,
        TaskStartedEvent,
        ToolUsageErrorEvent,
        ToolUsageFinishedEvent,
        ToolUsageStartedEvent,
        crewai_event_bus,
    )

    spans = CrewSpans(tracer)
    _watching.append(spans)
    beginnings: tuple[Any, ...] = (CrewKickoffStartedEvent, TaskStartedEvent)
    for beginning in (*beginnings, AgentExecutionStartedEvent, ToolUsageStartedEvent):
        crewai_event_bus.register_handler(beginning, spans.began)
    endings: tuple[Any, ...] = (CrewKickoffCompletedEvent, CrewKickoffFailedEvent, TaskCompletedEvent, TaskFailedEvent)
    endings += (AgentExecutionCompletedEvent, AgentExecutionErrorEvent, ToolUsageFinishedEvent, ToolUsageErrorEvent)
    for ending in endings:
        crewai_event_bus.register_handler(ending, spans.ended)


def below_crew(but: str | None = None) -> Context:
    """Where a span belongs that begins now: below the innermost crew, task, agent or tool, else the current span."""
    here = trace.get_current_span().get_span_context()
    events = sys.modules.get("crewai.events.event_context")
    scopes = () if events is None or not _watching else events._event_id_stack.get()
    for event_id, event_type in reversed(scopes):
        if event_type in BEGINNINGS and event_id != but and here.is_valid:
            above = SpanContext(here.trace_id, _id_of(event_id), False, TraceFlags(here.trace_flags))
            return trace.set_span_in_context(NonRecordingSpan(above))
    return trace.set_span_in_context(trace.get_current_span())


def _id_of(event_id: str) -> int:
    return UUID(event_id).int & 0xFFFFFFFFFFFFFFFF or 1


def _nanoseconds(event: Any) -> int:
    return int(event.timestamp.timestamp() * 1_000_000) * 1_000


def _subject(kind: str) -> str:
    return {"execute_tool": "tool", "invoke_agent": "agent"}.get(kind, "workflow")
