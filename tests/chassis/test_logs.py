import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from contracts import Tenant
from services.chassis.logs import REDACTED, bound, configure_logs, redact
from services.chassis.settings import Settings

TENANT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=2))


class Stderr:
    """What was written to standard error since the test began."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Stderr]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Stderr(capsys)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_carries_service_tenant_flow_and_trace(stderr: Stderr) -> None:
    configure_logs(Settings(log_format="json"))
    with (
        TracerProvider().get_tracer("test").start_as_current_span("work") as span,
        bound(TENANT, UUID(int=3), "gateway"),
    ):
        structlog.get_logger().info("Imported", rows=5)

    (line,) = stderr.lines
    assert line["event"] == "Imported"
    assert line["rows"] == 5
    assert line["service"] == "gateway"
    assert line["client_account_id"] == str(UUID(int=1))
    assert line["engagement_id"] == str(UUID(int=2))
    assert line["flow_id"] == str(UUID(int=3))
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert line["level"] == "info"


def test_what_was_bound_ends_with_the_block(stderr: Stderr) -> None:
    configure_logs(Settings(log_format="json"))
    with bound(TENANT, None, "gateway"):
        pass
    structlog.get_logger().info("Later")

    assert not {"service", "client_account_id", "flow_id", "trace_id"} & set(stderr.lines[0])


@pytest.mark.parametrize("name", ["uvicorn.access", "sqlalchemy.engine", "faststream.access.rabbit", "aio_pika.robust"])
def test_libraries_log_through_the_same_pipeline(stderr: Stderr, name: str) -> None:
    logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler())
    logging.getLogger("faststream.access.rabbit").propagate = False
    configure_logs(Settings(log_format="json"))
    with bound(TENANT, None, "gateway"):
        logging.getLogger(name).warning("Lost %s", "amqp://guest:guest@localhost/")

    (line,) = stderr.lines
    assert line["event"] == f"Lost amqp://{REDACTED}@localhost/"
    assert line["logger"] == name
    assert line["service"] == "gateway"


def test_an_exception_is_one_line_without_its_secrets(stderr: Stderr) -> None:
    configure_logs(Settings(log_format="json"))
    try:
        raise RuntimeError("cannot reach postgresql://admin:hunter2@db/migration")  # pragma: allowlist secret
    except RuntimeError:
        structlog.get_logger().exception("Failed")

    (line,) = stderr.lines
    assert "RuntimeError" in line["exception"]
    assert "hunter2" not in stderr.text


def test_lines_below_the_level_are_left_out(stderr: Stderr) -> None:
    configure_logs(Settings(log_format="json", log_level="warning"))
    structlog.get_logger().info("Quiet")
    logging.getLogger("uvicorn").info("Quiet")

    assert stderr.text == ""


def test_configuring_again_does_not_double_the_lines(stderr: Stderr) -> None:
    configure_logs(Settings(log_format="json"))
    configure_logs(Settings(log_format="json"))
    structlog.get_logger().info("Once")

    assert len(stderr.lines) == 1


def test_auto_writes_json_where_there_is_no_terminal(stderr: Stderr) -> None:
    configure_logs(Settings(log_format="auto"))
    structlog.get_logger().info("Plain")

    assert stderr.lines[0]["event"] == "Plain"


def test_console_is_for_people(stderr: Stderr) -> None:
    configure_logs(Settings(log_format="console"))
    structlog.get_logger().info("Plain", rows=5)

    assert "rows=5" in stderr.text
    assert not stderr.text.startswith("{")


def test_what_json_does_not_know_is_written_as_text(stderr: Stderr) -> None:
    configure_logs(Settings(log_format="json"))
    structlog.get_logger().info("Done", flow=UUID(int=3))

    assert stderr.lines[0]["flow"] == str(UUID(int=3))


@pytest.mark.parametrize(
    "key", ["password", "db_password", "api_key", "X-API-Key", "access_token", "Authorization", "client_secret"]
)
def test_values_of_secret_keys_are_redacted_at_any_depth(key: str) -> None:
    assert redact(None, "", {"headers": [{key: "s3cret"}]}) == {"headers": [{key: REDACTED}]}


def test_a_token_count_is_no_secret() -> None:
    assert redact(None, "", {"prompt_tokens": 512}) == {"prompt_tokens": 512}


def test_a_bearer_token_inside_a_text_is_redacted() -> None:
    assert redact(None, "", {"event": "sent Bearer abcdef123456 there"})["event"] == f"sent Bearer {REDACTED} there"


@pytest.mark.parametrize("text", ["http://host:8000/a@b", "see a:b@c", "https://host/path", "mail me@example.com"])
def test_text_without_credentials_stays_as_it_is(text: str) -> None:
    assert redact(None, "", {"event": text})["event"] == text


_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=%", min_size=1)


@given(user=st.one_of(st.just(""), _WORD), password=st.text("XYZ!$&'()*+,;=%", min_size=3))
def test_no_password_in_a_url_gets_through(user: str, password: str) -> None:
    event = redact(None, "", {"event": f"using amqp://{user}:{password}@host:5672/v now"})["event"]

    assert event == f"using amqp://{REDACTED}@host:5672/v now"
