"""A running gateway and clients of it, for the tests of this folder."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import orjson
from pydantic import SecretStr
from sqlalchemy import text

from contracts.envelope import Event, Tenant, uuid7
from contracts.flows import ApprovalRequested, FlowTypeName, FlowUpdated, PhaseView, TimelineEntry
from contracts.lifecycle import FlowStatus
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import EVENTS, Delivery, Subscription
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually
from services.gateway.app import DEFAULT_TENANT, create_api, service, welcome

KEY = "modernize_test_key"
# An address that tenants may name, and where nobody listens.
NOBODY = "127.0.0.1:9"
TABLE_ID = uuid7()


@dataclass
class Heard:
    """A queue on every event that the gateway may send; the events are kept."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def subscriptions(self) -> list[Subscription]:
        """One queue that is bound to everything."""
        return [Subscription("test.all", "test", EVENTS, "#", self._take)]

    async def _take(self, delivery: Delivery) -> None:
        self.messages.extend(orjson.loads(delivery.body))

    def types(self) -> list[str]:
        """The types of what was heard, in order."""
        return [message["type"] for message in self.messages]


@dataclass
class Platform:
    """The gateway alone on an in-process bus, its clients, and what it said."""

    runtime: Runtime
    client: httpx2.AsyncClient
    heard: Heard

    def of(self, tenant: Tenant | None = None, key: str | None = KEY) -> dict[str, str]:
        """The headers of a request in a tenant."""
        headers = {"x-api-key": key} if key is not None else {}
        if tenant is not None:
            headers["x-client-account-id"] = str(tenant.client_account_id)
            headers["x-engagement-id"] = str(tenant.engagement_id)
        return headers

    async def new_tenant(self) -> Tenant:
        """An engagement of a new client account."""
        body = {"client_name": "Fabrikam", "engagement_name": "Exit"}
        made = (await self.client.post("/api/v1/engagements", json=body)).json()
        return Tenant.model_validate(made)

    async def get(self, path: str, tenant: Tenant | None = None, **params: Any) -> Any:
        """The JSON of a successful GET below /api/v1."""
        response = await self.client.get(f"/api/v1{path}", params=params, headers=self.of(tenant))
        assert response.status_code == 200, response.text
        return response.json()

    async def hear(self, *events: Event) -> None:
        """Let the gateway hear events as if another service had sent them, and wait until each took effect."""
        for event in events:
            async with self.runtime.database.transaction(event.tenant) as session:
                await add_events(session, service.metadata, [event])
        self.runtime.committed()
        await self.settled()

    async def post(self, path: str, body: Any = None, tenant: Tenant | None = None) -> httpx2.Response:
        """The answer to a POST below /api/v1."""
        return await self.client.post(f"/api/v1{path}", json=body, headers=self.of(tenant))

    async def told(self, event_type: str) -> dict[str, Any]:
        """The last event of a type that the gateway sent, once all of them are on their way."""
        await self.settled()
        return next(message for message in reversed(self.heard.messages) if message["type"] == event_type)

    async def settled(self) -> None:
        """Wait until outbox and work of the gateway are empty."""

        async def empty() -> bool:
            async with self.runtime.database.dispatch() as connection:
                rows = await connection.execute(
                    text("select (select count(*) from gateway.outbox) + (select count(*) from gateway.work)")
                )
                return bool(rows.scalar_one() == 0)

        await eventually(empty)

    async def upload(self, content: bytes = b"a,b\n1,2\n", tenant: Tenant | None = None, name: str = "a.csv") -> Any:
        """An import as the route returned it."""
        response = await self.client.post(
            "/api/v1/imports", params={"file_name": name}, content=content, headers=self.of(tenant)
        )
        assert response.status_code == 201, response.text
        return response.json()


@asynccontextmanager
async def a_platform(settings: Settings) -> AsyncIterator[Platform]:
    """The gateway, its REST interface and a client with a valid key."""
    bus = InProcessBus()
    runtime = Runtime(service, settings.model_copy(update={"api_key": SecretStr(KEY)}), bus)
    heard = Heard()
    await bus.start(heard.subscriptions())
    await welcome(runtime)
    await runtime.start()
    transport = httpx2.ASGITransport(app=create_api(runtime), raise_app_exceptions=False)
    headers = {"x-api-key": KEY}
    try:
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            platform = Platform(runtime, client, heard)
            yield platform
            await platform.settled()
    finally:
        await runtime.stop()


def flow_updated(
    tenant: Tenant = DEFAULT_TENANT,
    flow_id: UUID | None = None,
    *,
    flow_type: FlowTypeName = "discovery",
    revision: int = 1,
    status: FlowStatus = "running",
    phase: str | None = "data_import",
    parent_flow_id: UUID | None = None,
    phases: Sequence[PhaseView] = (),
    note: str | None = None,
    **more: Any,
) -> FlowUpdated:
    """A flow as the orchestrator tells it, with an entry for its timeline if there is a `note`."""
    now = datetime.now(UTC)
    entry = {"seq": revision, "at": now, "cause": "data_import.completed", "phase": phase, "status": status}
    return FlowUpdated(
        tenant=tenant,
        flow_id=flow_id or uuid7(),
        flow_type=flow_type,
        revision=revision,
        status=status,
        current_phase=phase,
        phases=list(phases),
        parent_flow_id=parent_flow_id,
        created_at=now,
        entry=None if note is None else TimelineEntry.model_validate({**entry, "note": note, **more.pop("entry", {})}),
        **more,
    )


def approval_requested(tenant: Tenant = DEFAULT_TENANT, flow_id: UUID | None = None, **more: Any) -> ApprovalRequested:
    """A task to decide on the mapping of one table with the columns Tier and Size."""
    table = {"table_id": str(TABLE_ID), "columns": [{"column": "Tier"}, {"column": "Size"}]}
    return ApprovalRequested(
        tenant=tenant,
        flow_id=flow_id or uuid7(),
        task_id=uuid7(),
        kind="field_mapping",
        title="Check 2 columns",
        details={"mappings": [table]},
        **more,
    )
