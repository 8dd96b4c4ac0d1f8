"""An OTLP/HTTP receiver for tests: keeps the spans it is sent and shows them as a tree."""

import asyncio
import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan


@dataclass(frozen=True)
class ReceivedSpan:
    """One span; ids in hex, `parent_id` empty for a root, `kind` such as `SERVER`, times in nanoseconds, `text` all."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: bool
    started: int
    ended: int
    text: str = field(repr=False, compare=False, default="")


@dataclass
class Node:
    """A span and what happened below it, in order of start."""

    span: ReceivedSpan
    children: list["Node"] = field(default_factory=list)

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def lines(self, depth: int = 0) -> list[str]:
        """The tree as indented text, one `service: name` a line."""
        own = f"{'  ' * depth}{self.span.service}: {self.span.name}"
        return [own, *(line for child in self.children for line in child.lines(depth + 1))]


class OtlpReceiver:
    """`with OtlpReceiver() as receiver:` listens on 127.0.0.1; `receiver.endpoint` is for MODERNIZE_OTLP_ENDPOINT."""

    def __init__(self) -> None:
        self._spans: list[ReceivedSpan] = []
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if self.path != "/v1/traces":
                    self.send_error(404)
                    return
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver._keep(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

            def log_message(self, format: str, *args: object) -> None:
                """Tests read the spans, not an access log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[ReceivedSpan]:
        """Everything received so far."""
        with self._changed:
            return list(self._spans)

    async def wait_for(self, predicate: Callable[[list[ReceivedSpan]], bool], timeout: float = 15) -> None:  # noqa: ASYNC109 - the wait is in a thread, which asyncio.timeout cannot end
        """Return once `predicate(spans)` holds; raises `TimeoutError` with what did arrive."""

        def wait() -> None:
            with self._changed:
                if not self._changed.wait_for(lambda: predicate(list(self._spans)), timeout):
                    names = sorted(f"{span.service}: {span.name}" for span in self._spans)
                    raise TimeoutError(f"these spans did not satisfy the predicate in {timeout} s: {names}")

        await asyncio.to_thread(wait)

    def as_tree(self, trace_id: str | None = None) -> Node:
        """The one tree that the spans form: of `trace_id`, or of everything received.

        Raises `AssertionError` that shows the spans if they are of several traces, or have not exactly one root.
        """
        chosen = [span for span in self.spans if trace_id in (None, span.trace_id)]
        nodes = {span.span_id: Node(span) for span in sorted(chosen, key=lambda span: span.started)}
        roots: list[Node] = []
        for node in nodes.values():
            parent = nodes.get(node.span.parent_id)
            (parent.children if parent else roots).append(node)
        traces = {span.trace_id for span in chosen}
        if len(traces) != 1 or len(roots) != 1:
            found = "\n".join(line for root in roots for line in root.lines())
            raise AssertionError(f"not one tree but {len(roots)} in {len(traces)} traces:\n{found}")
        return roots[0]

    def _keep(self, request: ExportTraceServiceRequest) -> None:
        received = [
            _received(str(_attributes(resource.resource.attributes).get("service.name", "")), span)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._changed:
            self._spans.extend(received)
            self._changed.notify_all()


def _received(service: str, span: ProtoSpan) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=span.name,
        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_attributes(span.attributes),
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        started=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        text=str(span),
    )


def _attributes(pairs: "Iterator[KeyValue] | Any") -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
