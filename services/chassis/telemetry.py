"""Traces: one tracer per service, also where several services share a process, sent over OTLP where one is set."""

import asyncio
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span as RecordedSpan
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import event
from sqlalchemy.engine import Connection, ExceptionContext, ExecutionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.logs import redacted_text
from services.chassis.settings import Settings

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

EXPORT_TIMEOUT_SECONDS = 3.0
QUERY_TEXT_LENGTH = 2_000

# The id of the next span to begin, where its children were told of it before.
_CHOSEN: ContextVar[int | None] = ContextVar("chosen_span_id", default=None)
_W3C = TraceContextTextMapPropagator()
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


class Telemetry:
    """The traces of one service. Without an OTLP endpoint spans only carry ids on, and nothing is sent."""

    def __init__(self, service: str, settings: Settings) -> None:
        """Spans say `service.name` = `modernize-<service>`."""
        self.exports = settings.otlp_endpoint is not None
        self.provider = TracerProvider(
            resource=Resource.create(
                {
                    "service.name": f"modernize-{service}",
                    "service.namespace": "modernize",
                }
            ),
            shutdown_on_exit=False,
            id_generator=_ChosenSpanIds(),
        )
        if settings.otlp_endpoint is not None:
            # Batches are sent by a thread of their own and dropped when full: a missing collector delays nobody.
            exporter = OTLPSpanExporter(
                endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_SECONDS
            )
            self.provider.add_span_processor(_QueriesWithoutValues())
            self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer: Tracer = self.provider.get_tracer("services.chassis")

    def for_fastapi(self) -> "TelemetryConfig":
        """What `FastAPI(telemetry=…)` takes: a SERVER span per request, none for health checks."""
        return {
            "tracer_provider": self.provider,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
            "exclude": lambda scope: "/health" in scope["path"],
        }

    def instrument(self, engine: AsyncEngine) -> None:
        """Give every statement of this engine a span, if it runs inside a recorded trace; never a root span.

        opentelemetry-instrumentation-sqlalchemy instruments once per process, with one provider, and wraps
        `Engine.connect` for all engines, so in a process of several services their spans would change owner.
        """
        if self.exports:
            _StatementSpans(self.tracer, engine)

    @contextmanager
    def consume(
        self, name: str, traceparent: str | None, attributes: Mapping[str, str | int | float | bool] | None = None
    ) -> Iterator[Span]:
        """Run inside a CONSUMER span below `traceparent`, whatever is current; without one a new trace begins."""
        if not self.exports:
            unrecorded = NonRecordingSpan(_child_of(traceparent))
            with trace.use_span(unrecorded, record_exception=False, set_status_on_exception=False):
                yield unrecorded
            return
        with self.tracer.start_as_current_span(
            name, context=_parent(traceparent), kind=SpanKind.CONSUMER, attributes=dict(attributes or {})
        ) as span:
            yield span

    @contextmanager
    def consume_all(self, received: Sequence[tuple[str, str | None]]) -> Iterator[list[str]]:
        """Run inside a CONSUMER span for each (name, traceparent); gives the traceparents of these spans, in order.

        What is done for all of them at once is recorded below the first, which links to the others.
        """
        if len(received) == 1:
            name, traceparent = received[0]
            with self.consume(name, traceparent) as span:
                yield [_traceparent(span.get_span_context())]
            return
        if not self.exports:
            with without_spans():
                yield [_traceparent_below(traceparent) for _, traceparent in received]
            return
        spans = [
            self.tracer.start_span(name, context=_parent(traceparent), kind=SpanKind.CONSUMER)
            for name, traceparent in received
        ]
        contexts = [span.get_span_context() for span in spans]
        try:
            for context in contexts[1:]:
                spans[0].add_link(context)
            with trace.use_span(spans[0], record_exception=False, set_status_on_exception=False):
                yield [_traceparent(context) for context in contexts]
        except Exception as error:
            for span in spans:
                span.set_status(Status(StatusCode.ERROR, redacted_text(f"{type(error).__name__}: {error}")))
            raise
        finally:
            for span in spans:
                span.end()

    @contextmanager
    def produce(self, name: str, attributes: Mapping[str, str | int | float | bool] | None = None) -> Iterator[Span]:
        """Run inside a PRODUCER span below the current one, for a message sent as it is and not through the outbox."""
        with self.tracer.start_as_current_span(name, kind=SpanKind.PRODUCER, attributes=dict(attributes or {})) as span:
            yield span

    async def shutdown(self) -> None:
        """Send what is left, for as long as one export may take."""
        await asyncio.to_thread(self.provider.shutdown)


def _parent(traceparent: str | None) -> Context:
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, context=Context())


def _traceparent_below(traceparent: str | None) -> str:
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01"
    return f"{traceparent[:36]}{random.getrandbits(64):016x}{traceparent[52:]}"


def _child_of(traceparent: str | None) -> SpanContext:
    """A span that nobody records, below `traceparent`: only its ids travel on."""
    parent = _TRACEPARENT.fullmatch(traceparent or "")
    trace_id = int(parent[1], 16) if parent else random.getrandbits(128)
    flags = int(parent[2], 16) if parent else TraceFlags.SAMPLED
    return SpanContext(trace_id, random.getrandbits(64), is_remote=False, trace_flags=TraceFlags(flags))


def _traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def current_traceparent() -> str | None:
    """The current span as a W3C traceparent, or None outside any."""
    context = trace.get_current_span().get_span_context()
    return _traceparent(context) if context.is_valid else None


def current_trace_id() -> str | None:
    """The current trace's id, 32 hex digits, or None outside any."""
    span = trace.get_current_span().get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else None


@contextmanager
def without_spans() -> Iterator[None]:
    """Leave the current trace, as background loops must: a task inherits the span that was current at its start."""
    token = otel_context.attach(Context())
    try:
        yield
    finally:
        otel_context.detach(token)


class _ChosenSpanIds(RandomIdGenerator):
    """Random ids, except for a span whose id was chosen."""

    def generate_span_id(self) -> int:
        """The chosen id, else a random one."""
        return _CHOSEN.get() or super().generate_span_id()


@contextmanager
def span_id(chosen: int) -> Iterator[None]:
    """Give the span that begins in here this id, 64 bits, not 0."""
    token = _CHOSEN.set(chosen)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


class _QueriesWithoutValues(SpanProcessor):
    """Leaves of a request's query the names of its parameters: whoever reads spans need not read what was asked."""

    def on_start(self, span: RecordedSpan, parent_context: Context | None = None) -> None:
        """Take the values out before anything sees them."""
        query = (span.attributes or {}).get("url.query")
        if isinstance(query, str):
            span.set_attribute("url.query", "&".join(name for name, _ in parse_qsl(query, keep_blank_values=True)))


class _StatementSpans:
    """CLIENT spans around the statements of one engine, in the names of OpenTelemetry's database conventions 1.44."""

    def __init__(self, tracer: Tracer, engine: AsyncEngine) -> None:
        url = engine.url
        self._tracer = tracer
        self._database = url.database or ""
        self._attributes: dict[str, Any] = {
            "db.system.name": engine.dialect.name,
            "db.namespace": self._database,
            **({"server.address": url.host} if url.host else {}),
            **({"server.port": url.port} if url.port else {}),
        }
        event.listen(engine.sync_engine, "before_cursor_execute", self._before)
        event.listen(engine.sync_engine, "after_cursor_execute", self._after)
        event.listen(engine.sync_engine, "handle_error", self._failed)

    def _before(
        self,
        _connection: Connection,
        _cursor: Any,
        statement: str,
        _parameters: Any,
        context: ExecutionContext | None,
        _executemany: bool,
    ) -> None:
        if context is None or not trace.get_current_span().is_recording():
            return
        operation = statement.split(None, 1)[0].upper() if statement.strip() else "?"
        span = self._tracer.start_span(
            f"{operation} {self._database}",
            kind=SpanKind.CLIENT,
            attributes={
                **self._attributes,
                "db.operation.name": operation,
                "db.query.text": statement[:QUERY_TEXT_LENGTH],
            },
        )
        context._modernize_span = span  # type: ignore[attr-defined]  # SQLAlchemy's place for what belongs to a statement

    @staticmethod
    def _after(
        _connection: Connection,
        _cursor: Any,
        _statement: str,
        _parameters: Any,
        context: ExecutionContext | None,
        _executemany: bool,
    ) -> None:
        span: Span | None = getattr(context, "_modernize_span", None)
        if span is not None:
            span.end()

    @staticmethod
    def _failed(failure: ExceptionContext) -> None:
        span: Span | None = getattr(failure.execution_context, "_modernize_span", None)
        if span is not None and span.is_recording():
            error = failure.original_exception
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR, redacted_text(str(error))))
            span.end()
