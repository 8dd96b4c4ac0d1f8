import asyncio
import re
import socket
from collections.abc import AsyncGenerator, Generator, Iterator

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.chassis import telemetry as telemetry_module
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.chassis.settings import Settings
from services.chassis.telemetry import Telemetry, current_trace_id, current_traceparent, without_spans
from tests.otlp_receiver import OtlpReceiver, ReceivedSpan

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def receiver() -> Generator[OtlpReceiver, None, None]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def settings(receiver: OtlpReceiver) -> Settings:
    return Settings(otlp_endpoint=receiver.endpoint)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("traced"))
    yield make_url(server.start()).set(drivername="postgresql+asyncpg", username="postgres", database="postgres")
    server.stop()


@pytest.fixture
async def engine(database: URL) -> AsyncGenerator[AsyncEngine, None]:
    engine = create_async_engine(database)
    yield engine
    await engine.dispose()


async def _select(engine: AsyncEngine, statement: str = "select 1") -> None:
    async with engine.connect() as connection:
        await connection.execute(text(statement))


def _application(telemetry: Telemetry, engine: AsyncEngine) -> FastAPI:
    application = FastAPI(telemetry=telemetry.for_fastapi())

    @application.get("/flows/{flow_id}")
    async def show_flow(flow_id: str) -> dict[str, str | None]:
        await _select(engine, "select 'flow'")
        return {"flow_id": flow_id, "trace_id": current_trace_id(), "traceparent": current_traceparent()}

    @application.get("/health/live")
    async def live() -> dict[str, str | None]:
        await _select(engine)
        return {"trace_id": current_trace_id()}

    return application


def _client(application: FastAPI) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app=application), base_url="http://test")


async def test_a_request_its_statements_and_another_services_work_are_one_tree(
    receiver: OtlpReceiver, settings: Settings, engine: AsyncEngine, database: URL
) -> None:
    gateway, mapping = Telemetry("gateway", settings), Telemetry("field_mapping", settings)
    mapping_engine = create_async_engine(database)
    gateway.instrument(engine)
    mapping.instrument(mapping_engine)

    async with _client(_application(gateway, engine)) as client:
        answer = (await client.get("/flows/7")).json()
    with mapping.consume("field_mapping.requested process", answer["traceparent"], {"messaging.system": "rabbitmq"}):
        await _select(mapping_engine, "select 'mapping'")
    await mapping_engine.dispose()
    await asyncio.gather(gateway.shutdown(), mapping.shutdown())

    assert receiver.as_tree().lines() == [
        "modernize-gateway: GET /flows/{flow_id}",
        "  modernize-gateway: SELECT postgres",
        "  modernize-field_mapping: field_mapping.requested process",
        "    modernize-field_mapping: SELECT postgres",
    ]
    root = receiver.as_tree().span
    assert (root.kind, root.trace_id) == ("SERVER", answer["trace_id"])
    statement = receiver.as_tree().children[0].span
    assert statement.kind == "CLIENT"
    assert statement.attributes["db.query.text"] == "select 'flow'"
    assert statement.attributes["db.system.name"] == "postgresql"


async def test_a_request_continues_the_callers_trace(
    receiver: OtlpReceiver, settings: Settings, engine: AsyncEngine
) -> None:
    telemetry = Telemetry("gateway", settings)
    async with _client(_application(telemetry, engine)) as client:
        await client.get("/flows/7", headers={"traceparent": PARENT})
    await telemetry.shutdown()

    (span,) = receiver.spans
    assert f"00-{span.trace_id}-{span.parent_id}-01" == PARENT


async def test_health_checks_leave_no_spans(receiver: OtlpReceiver, settings: Settings, engine: AsyncEngine) -> None:
    telemetry = Telemetry("gateway", settings)
    telemetry.instrument(engine)
    async with _client(_application(telemetry, engine)) as client:
        assert (await client.get("/health/live")).json() == {"trace_id": None}
    await telemetry.shutdown()

    assert receiver.spans == []


async def test_statements_outside_a_trace_leave_no_spans(
    receiver: OtlpReceiver, settings: Settings, engine: AsyncEngine
) -> None:
    telemetry = Telemetry("gateway", settings)
    telemetry.instrument(engine)
    await _select(engine)
    with telemetry.consume("work", None), without_spans():
        await _select(engine)
    await telemetry.shutdown()

    assert [span.name for span in receiver.spans] == ["work"]


async def test_a_background_loop_is_not_part_of_the_trace_that_started_it(settings: Settings) -> None:
    telemetry = Telemetry("gateway", settings)

    async def loop() -> tuple[str | None, str | None]:
        inherited = current_traceparent()
        with without_spans():
            return inherited, current_traceparent()

    with telemetry.consume("work", PARENT):
        inherited, inside = await asyncio.create_task(loop())
    await telemetry.shutdown()

    assert inherited is not None
    assert inside is None


async def test_work_picked_up_without_spans_still_has_its_own(
    receiver: OtlpReceiver, settings: Settings, engine: AsyncEngine
) -> None:
    telemetry = Telemetry("agent_runner", settings)
    telemetry.instrument(engine)
    with without_spans(), telemetry.consume("work", PARENT):
        await _select(engine)
    await telemetry.shutdown()

    assert [span.name for span in receiver.spans] == ["SELECT postgres", "work"]


async def test_a_failing_statement_is_marked(receiver: OtlpReceiver, settings: Settings, engine: AsyncEngine) -> None:
    telemetry = Telemetry("gateway", settings)
    telemetry.instrument(engine)
    with telemetry.consume("work", None), pytest.raises(DBAPIError):
        await _select(engine, "select * from nowhere")
    await telemetry.shutdown()

    statement = next(span for span in receiver.spans if span.kind == "CLIENT")
    assert statement.failed
    assert statement.attributes["error.type"]


async def test_an_error_marks_the_work_it_ended(receiver: OtlpReceiver, settings: Settings) -> None:
    telemetry = Telemetry("agent_runner", settings)
    with pytest.raises(RuntimeError), telemetry.consume("work", PARENT):
        raise RuntimeError("no")
    await telemetry.shutdown()

    (span,) = receiver.spans
    assert span.failed


async def test_a_broken_traceparent_begins_a_new_trace(receiver: OtlpReceiver, settings: Settings) -> None:
    telemetry = Telemetry("agent_runner", settings)
    with telemetry.consume("outer", PARENT), telemetry.consume("inner", "no traceparent"):
        pass
    await telemetry.shutdown()

    spans: dict[str, ReceivedSpan] = {span.name: span for span in receiver.spans}
    assert spans["inner"].parent_id == ""
    assert spans["inner"].trace_id != spans["outer"].trace_id


async def test_a_message_sent_is_below_what_sent_it(receiver: OtlpReceiver, settings: Settings) -> None:
    telemetry = Telemetry("gateway", settings)
    with telemetry.consume("work", None), telemetry.produce("send"):
        traceparent = current_traceparent()
    with telemetry.consume("receive", traceparent):
        pass
    await telemetry.shutdown()

    assert [line.split(": ")[1] for line in receiver.as_tree().lines()] == ["work", "send", "receive"]


async def test_without_an_endpoint_ids_exist_and_travel(engine: AsyncEngine) -> None:
    telemetry = Telemetry("gateway", Settings(otlp_endpoint=None))
    telemetry.instrument(engine)
    async with _client(_application(telemetry, engine)) as client:
        answer = (await client.get("/flows/7", headers={"traceparent": PARENT})).json()
    await telemetry.shutdown()

    assert answer["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert re.fullmatch(r"00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01", answer["traceparent"])
    assert "b7ad6b7169203331" not in answer["traceparent"]  # pragma: allowlist secret


async def test_outside_any_span_there_are_no_ids() -> None:
    assert current_traceparent() is None
    assert current_trace_id() is None


async def test_a_request_is_answered_although_the_collector_is_away(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_module, "EXPORT_TIMEOUT_SECONDS", 0.1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    telemetry = Telemetry("gateway", Settings(otlp_endpoint=endpoint))
    telemetry.instrument(engine)
    async with _client(_application(telemetry, engine)) as client:
        assert (await client.get("/flows/7")).status_code == 200
    await telemetry.shutdown()


async def test_several_roots_are_not_one_tree(receiver: OtlpReceiver, settings: Settings) -> None:
    telemetry = Telemetry("gateway", settings)
    for name in ("one", "two"):
        with telemetry.consume(name, None):
            pass
    await telemetry.shutdown()

    with pytest.raises(AssertionError, match="2 in 2 traces"):
        receiver.as_tree()
    await receiver.wait_for(lambda spans: len(spans) == 2)
    assert receiver.as_tree(receiver.spans[0].trace_id).span.name == "one"
