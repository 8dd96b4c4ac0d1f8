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
# What a secret looks like wherever it stands, and what is left of it.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)", REDACTED),
        (r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", rf"\1 {REDACTED}"),
        (r"\b(modernize_)[\w-]{20,}", rf"\1{REDACTED}"),
        (r"\b(whsec_)[\w+/=-]{16,}", rf"\1{REDACTED}"),
        (r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){1,3}", REDACTED),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", REDACTED),
        # As in a query or in JSON: `token=…`, `"client_secret": "…"`.
        (r"([?&;][\w-]*(?:passw|secret|api[-_]?key|token|signature|credential)[\w-]*=)[^&\s\"'#]+", rf"\1{REDACTED}"),
        (
            r"([\"'][\w-]*(?:passw|secret|api[-_]?key|token|authorization|cookie|credential)[\w-]*[\"']\s*[:=]\s*)"
            r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')",
            rf'\1"{REDACTED}"',
        ),
    )
)

# These libraries give their loggers handlers of their own, which would print every line a second time.
_LIBRARIES = ("uvicorn", "sqlalchemy", "faststream", "aio_pika", "aiormq", "alembic")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take secrets out of a line: values of keys that name one, and credentials inside any string."""
    return {key: _redacted(key, value) for key, value in event.items()}


def redacted_text(text: str) -> str:
    """A text without what looks like a secret in it."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


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
    # What they say of each request, its URL and headers among it, is nobody's business.
    for client in ("httpcore2", "httpx2"):
        logging.getLogger(client).setLevel(logging.WARNING)
    for name in logging.root.manager.loggerDict:
        if name.split(".")[0] in _LIBRARIES:
            library = logging.getLogger(name)
            library.handlers.clear()
            library.propagate = True


def use_log_level(level: str | None, settings: Settings) -> None:
    """Log from this level on, or from the settings' own again; where logs go nowhere of ours, nothing changes."""
    root = logging.getLogger()
    wanted = (level or settings.log_level).upper()
    if any(isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter) for handler in root.handlers):
        root.setLevel(wanted)


def _redacted(key: str, value: Any) -> Any:
    # A number under such a key is a count (the tokens of a model call), never a secret.
    if _SECRET_KEY.search(key) and value is not None and not isinstance(value, int | float):
        return REDACTED
    if isinstance(value, dict):
        return {name: _redacted(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item) for item in value]
    if isinstance(value, str):
        return redacted_text(value)
    return value
