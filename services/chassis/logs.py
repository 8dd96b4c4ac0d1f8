"""Structured logs: one pipeline for ours and the libraries', with trace, flow and tenant in each line."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

from contracts import Tenant
from services.chassis.settings import Settings

REDACTED = "[redacted]"
_SECRET_KEY = re.compile(r"passw|secret|api[-_]?key|token|authorization|cookie|credential", re.IGNORECASE)
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)")
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)

# These libraries give their loggers handlers of their own, which would print every line a second time.
_LIBRARIES = ("uvicorn", "sqlalchemy", "faststream", "aio_pika", "aiormq", "alembic")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take secrets out of a line: values of keys that name one, and credentials inside any string."""
    return {key: _redacted(key, value) for key, value in event.items()}


def add_trace_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the current span's trace id, 32 hex digits, into a line."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event


@contextmanager
def bound(tenant: Tenant | None = None, flow_id: UUID | None = None, service: str | None = None) -> Iterator[None]:
    """Put these into every line logged inside, in this task and those it starts."""
    fields: dict[str, str] = {}
    if service is not None:
        fields["service"] = service
    if tenant is not None:
        fields["client_account_id"] = str(tenant.client_account_id)
        fields["engagement_id"] = str(tenant.engagement_id)
    if flow_id is not None:
        fields["flow_id"] = str(flow_id)
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def configure_logs(settings: Settings) -> None:
    """Send every log of this process to standard error, as `log_level` and `log_format` say; calling again replaces."""
    console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        add_trace_id,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in logging.root.manager.loggerDict:
        if name.split(".")[0] in _LIBRARIES:
            library = logging.getLogger(name)
            library.handlers.clear()
            library.propagate = True


def _redacted(key: str, value: Any) -> Any:
    # A number under such a key is a count (the tokens of a model call), never a secret.
    if _SECRET_KEY.search(key) and value is not None and not isinstance(value, int | float):
        return REDACTED
    if isinstance(value, dict):
        return {name: _redacted(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item) for item in value]
    if isinstance(value, str):
        return _BEARER.sub(rf"\1 {REDACTED}", _URL_CREDENTIALS.sub(REDACTED, value))
    return value
