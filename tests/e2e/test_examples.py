"""The examples for other systems, run as they are against running services on a real RabbitMQ."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
import httpx2
import orjson
import pytest
from cloudevents.core.bindings import rabbitmq
from cloudevents.core.v1.event import CloudEvent
from pydantic import SecretStr
from sqlalchemy import select

from contracts.envelope import PLATFORM, Tenant, uuid7
from services.audit.app import service as audit
from services.audit.tables import LogEntry
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running
from services.flow_orchestrator.app import service as flow_orchestrator
from services.gateway.app import DEFAULT_TENANT, create_api, welcome
from services.gateway.app import service as gateway
from tests.conftest import RecordedRabbitBus

EXAMPLES = Path(__file__).parent.parent.parent / "deploy" / "examples"
KEY = "modernize_test_key"
CSV = b"Host Name,OS,Environment,IP Address,CPUs,Memory (GB),Disk (GB)\nweb1,Ubuntu 22.04,prod,10.0.0.1,4,16,100\n"


@dataclass
class Round:
    """Running services, a client of the gateway, and what the examples need to know."""

    runtimes: dict[str, Runtime]
    client: httpx2.AsyncClient
    settings: Settings
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        assert self.settings.rabbitmq_url is not None
        self.environment = {
            "RABBITMQ_URL": self.settings.rabbitmq_url,
            "API_KEY": KEY,
            "CLIENT_ACCOUNT_ID": str(DEFAULT_TENANT.client_account_id),
            "ENGAGEMENT_ID": str(DEFAULT_TENANT.engagement_id),
        }

    @asynccontextmanager
    async def example(
        self, name: str, *arguments: str, **environment: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """A program of `deploy/examples`, ended with the block."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EXAMPLES / f"{name}.py"), *arguments),
            env={**self.environment, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def start_discovery(self, *import_ids: str, **environment: str) -> None:
        """Run the first example to its end."""
        exchange = f"{self.settings.bus_prefix}external"
        async with self.example("start_discovery", *import_ids, EXCHANGE=exchange, **environment) as process:
            output, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()
            assert output.startswith(b"sent ")

    async def upload(self) -> str:
        response = await self.client.post("/api/v1/imports", params={"file_name": "a.csv"}, content=CSV)
        return str(response.json()["import_id"])

    async def send(self, body: bytes, content_type: str | None, headers: dict[str, str]) -> None:
        """Publish what no well-behaved system would."""
        async with await aio_pika.connect(self.environment["RABBITMQ_URL"]) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(f"{self.settings.bus_prefix}external")
            message = aio_pika.Message(body, headers=dict(headers), content_type=content_type)
            await exchange.publish(message, routing_key="anything")

    async def dead_letter(self) -> dict[str, Any]:
        """The one dead letter of the platform's own tenant, once it is there."""

        async def listed() -> list[dict[str, Any]]:
            response = await self.client.get("/api/v1/dead-letters", headers=headers_of(PLATFORM))
            items: list[dict[str, Any]] = response.json()["items"]
            return items

        (letter,) = await eventually(listed)
        shown = await self.client.get(f"/api/v1/dead-letters/{letter['dead_letter_id']}", headers=headers_of(PLATFORM))
        detail: dict[str, Any] = shown.json()
        return detail

    async def audited(self, event_type: str, tenant: Tenant) -> dict[str, Any]:
        """The record of the first event of a type in a tenant's audit log, once it is there."""

        async def found() -> str | None:
            async with self.runtimes["audit"].database.transaction(tenant) as session:
                return await session.scalar(select(LogEntry.record).where(LogEntry.event_type == event_type))

        record = await eventually(found)
        message: dict[str, Any] = orjson.loads(record or "")
        return message


def headers_of(tenant: Tenant) -> dict[str, str]:
    return {"x-client-account-id": str(tenant.client_account_id), "x-engagement-id": str(tenant.engagement_id)}


@pytest.fixture
async def round_(settings: Settings, rabbitmq_url: str, bus_prefix: str, bus_queues: set[str]) -> AsyncIterator[Round]:
    """Gateway, orchestrator and audit log on the real broker."""
    own = settings.model_copy(
        update={"rabbitmq_url": rabbitmq_url, "bus_prefix": bus_prefix, "api_key": SecretStr(KEY)}
    )
    services = [gateway, flow_orchestrator, audit]
    async with running(services, own, lambda _: RecordedRabbitBus(rabbitmq_url, bus_prefix, bus_queues)) as runtimes:
        await welcome(runtimes["gateway"])
        transport = httpx2.ASGITransport(app=create_api(runtimes["gateway"]))
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", headers={"x-api-key": KEY}
        ) as client:
            yield Round(runtimes, client, own)


async def line_of(process: asyncio.subprocess.Process) -> str:
    """The next line that a program prints."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return (await process.stdout.readline()).decode()


async def test_one_system_starts_a_discovery_and_another_hears_of_it(round_: Round) -> None:
    import_id = await round_.upload()
    async with round_.example("listen", EXCHANGE=f"{round_.settings.bus_prefix}public") as listener:
        assert await line_of(listener) == "listening\n"
        await round_.start_discovery(import_id)
        event_type, flow_id, data = (await line_of(listener)).split(" ", 2)
    assert event_type == "discovery.started"
    assert import_id in data
    flow = (await round_.client.get(f"/api/v1/flows/{flow_id}")).json()
    assert (flow["flow_type"], flow["flow_id"]) == ("discovery", flow_id)
    assert (await round_.audited("discovery.requested", DEFAULT_TENANT))["flowid"] == flow_id


async def test_a_message_that_comes_twice_starts_one_flow(round_: Round) -> None:
    tenant = {
        "clientaccountid": str(DEFAULT_TENANT.client_account_id),
        "engagementid": str(DEFAULT_TENANT.engagement_id),
    }
    attributes = {"type": "discovery.requested", "source": "/cmdb", "id": "order-1", **tenant}
    event = CloudEvent(attributes, {"import_ids": [await round_.upload()]})
    structured, binary = rabbitmq.to_structured_event(event), rabbitmq.to_binary_event(event)
    for message in (structured, binary):
        await round_.send(message.body, message.content_type, {**message.headers, "x-api-key": KEY})
    # Heard after both, because one queue keeps its order.
    await round_.send(b"{", "application/json", {})
    await round_.dead_letter()
    assert len((await round_.client.get("/api/v1/flows")).json()["items"]) == 1


UNKNOWN = str(uuid7())
# What is wrong, the environment and the import of the example, and the code and words of the reason.
REFUSED: tuple[tuple[str, dict[str, str], str, str, str], ...] = (
    ("wrong key", {"API_KEY": "wrong"}, UNKNOWN, "unknown_api_key", "no valid API key"),  # pragma: allowlist secret
    ("unknown engagement", {"ENGAGEMENT_ID": UNKNOWN}, UNKNOWN, "unknown_tenant", UNKNOWN),
    ("unknown client", {"CLIENT_ACCOUNT_ID": UNKNOWN}, UNKNOWN, "unknown_tenant", "no engagement"),
    ("a tenant that is no id", {"ENGAGEMENT_ID": "x"}, UNKNOWN, "schema_mismatch", "engagement_id"),
    ("bad payload", {}, "no-id", "schema_mismatch", "import_ids.0"),
    ("unknown import", {}, UNKNOWN, "import_not_found", UNKNOWN),
)


@pytest.mark.parametrize(("what", "environment", "import_id", "code", "words"), REFUSED, ids=[c[0] for c in REFUSED])
async def test_what_is_refused_is_a_dead_letter_with_its_reason_and_audited(
    round_: Round, what: str, environment: dict[str, str], import_id: str, code: str, words: str
) -> None:
    await round_.start_discovery(import_id, **environment)
    letter = await round_.dead_letter()
    assert (letter["code"], letter["queue"], letter["status"]) == (code, "gateway.external", "open")
    assert words in letter["reason"]
    assert letter["message"]["data"] == {"import_ids": [import_id]}
    assert KEY not in str(letter)
    record = await round_.audited("event.dead_lettered", PLATFORM)
    assert record["data"]["reason"] == letter["reason"]
    assert (await round_.client.get("/api/v1/flows")).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"\xff\x00", "application/octet-stream", "not_json"),
        (b"{}", "application/json", "not_a_cloudevent"),
        (b"[]", "application/cloudevents+json", "not_a_cloudevent"),
        (
            b'{"specversion":"1.0","id":"1","source":"/x","type":"flow.updated","data":{}}',
            "application/cloudevents+json",
            "event_not_admitted",
        ),
        (
            b'{"specversion":"1.0","id":"1","source":"/x","type":"discovery.requested","data":[1]}',
            "application/cloudevents+json",
            "data_not_an_object",
        ),
    ],
)
async def test_what_is_no_fitting_cloudevent_is_a_dead_letter(
    round_: Round, body: bytes, content_type: str, code: str
) -> None:
    await round_.send(body, content_type, {"x-api-key": KEY})
    letter = await round_.dead_letter()
    assert letter["code"] == code
    assert (await round_.audited("event.dead_lettered", PLATFORM))["data"]["code"] == code
