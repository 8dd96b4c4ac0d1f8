"""Those who use the platform under fault: they start flows of many tenants, decide on tasks, and send poison."""

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError, InterfaceError

from contracts.discovery import QualityReport, ReportInputs
from contracts.envelope import Event, Tenant, uuid7
from contracts.flows import ApprovalDecided
from contracts.planning import (
    PlanInputs,
    PlanningRequested,
    ReportCompleted,
    ReportRequested,
    WaveLimits,
    WavePlanningCompleted,
)
from services.chassis.database import Database
from services.chassis.outbox import add_events
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.gateway.app import service as gateway
from services.gateway.tables import Engagement
from tests.chaos.child import API_KEY
from tests.chaos.worker import ALWAYS_FAILS, BLOB, FAILS_AT_FIRST, FLAKY, POISON

# What a broken connection to the database looks like.
BROKEN = (DBAPIError, InterfaceError, OSError)
LOOK_SECONDS = 0.1
RETRY_SECONDS = 0.1
INPUTS = PlanInputs(assets=BLOB, applications=BLOB, dependencies=BLOB, assessments=BLOB)
QUALITY = QualityReport(
    rows_read=0, assets=0, duplicates_merged=0, rows_rejected=0, completeness=1, validity=1, uniqueness=1, fields=[]
)


@dataclass(frozen=True)
class Load:
    """How much of what: shares are probabilities a flow."""

    flows: int = 30
    tenants: int = 3
    flaky: float = 0.1
    failing: float = 0.03
    rejected: float = 0.1
    poison: float = 0.01
    stale: float = 0.1
    work_centiseconds: tuple[int, int] = (0, 2)
    pause_seconds: float = 0.02


@dataclass
class Accepted:
    """What the platform was given and said yes to."""

    flows: dict[UUID, Tenant] = field(default_factory=dict)
    # Whether these were taken nobody knows: the connection broke while they were committed.
    doubtful: dict[UUID, Tenant] = field(default_factory=dict)
    poison: dict[UUID, str] = field(default_factory=dict)
    wins: Counter[UUID] = field(default_factory=Counter)


class Driver:
    """Uses one platform."""

    def __init__(self, settings: Settings, url: str, load: Load, seed: int, *, patient: bool = False) -> None:
        self.accepted = Accepted()
        # Whether flows whose request was given up on are waited for as well: their phase times out in the end.
        self.patient = patient
        self.tenants = [some_tenant() for _ in range(load.tenants)]
        self._load = load
        self._rng = random.Random(seed)
        self._database = Database("gateway", settings)
        self._address = str(settings.database_url)
        self._url = url
        self._late: set[UUID] = set()
        self._seen_running: set[UUID] = set()

    async def prepare(self) -> None:
        """Make the tenants."""
        row = {"client_name": "Fabrikam", "engagement_name": "Exit"}
        for tenant in self.tenants:
            async with self._database.transaction(tenant) as session:
                await session.execute(upsert(Engagement).values(row).on_conflict_do_nothing())

    async def start_flows(self) -> None:
        """Start as many flows as the load says, and now and then send poison beside them."""
        for _ in range(self._load.flows):
            tenant = self._rng.choice(self.tenants)
            await self._start_flow(tenant)
            if self._rng.random() < self._load.poison * 8:  # A flow is about eight events of services that can choke.
                await self._poison(self._rng.choice(self.tenants))
            await asyncio.sleep(self._load.pause_seconds)

    async def _start_flow(self, tenant: Tenant) -> None:
        luck = self._rng.random()
        failing, flaky = luck < self._load.failing, luck < self._load.failing + self._load.flaky
        early = self._rng.random() < 0.5
        planning = ALWAYS_FAILS if failing and early else FAILS_AT_FIRST if flaky and early else 60
        reporting = POISON if failing else FLAKY if flaky else "fine"
        flow_id = uuid7()
        event = PlanningRequested(
            tenant=tenant,
            flow_id=flow_id,
            inputs=INPUTS,
            report=ReportInputs(quality=QUALITY, mappings=[], files=[reporting]),
            limits=WaveLimits(max_assets=planning, pilot_assets=1 + self._rng.randint(*self._load.work_centiseconds)),
        )
        while True:
            try:
                async with self._database.transaction(tenant) as session:
                    await add_events(session, gateway.metadata, [event])
            except BROKEN:
                # It may have been committed all the same: the same flow is asked for again, under the same event.
                self.accepted.doubtful[flow_id] = tenant
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.accepted.flows[flow_id] = tenant
                return

    async def _answer_stale(self, tenant: Tenant, flow_id: UUID) -> None:
        """Answer attempts that there never were; no effect stands behind these answers, so they must not count."""
        answers: list[Event] = [
            WavePlanningCompleted(
                tenant=tenant, flow_id=flow_id, step="wave_planning:7", plan=BLOB, waves=[], unplanned={}
            ),
            ReportCompleted(tenant=tenant, flow_id=flow_id, step="report:7", files={}),
        ]
        for answer in answers:
            with contextlib.suppress(*BROKEN):
                async with self._database.transaction(tenant) as session:
                    await add_events(session, gateway.metadata, [answer])

    async def _poison(self, tenant: Tenant) -> None:
        """Put an event into the gateway's outbox that the worker cannot read."""
        event_id = uuid4()
        good = ReportRequested(
            tenant=tenant,
            flow_id=uuid4(),
            step="report:1",
            inputs=INPUTS,
            report=ReportInputs(quality=QUALITY, mappings=[], files=[]),
            plan=BLOB,
            waves=[],
            unplanned={},
        )
        message: dict[str, Any] = {**good.to_cloudevent(), "id": str(event_id), "source": "/poison"}
        kind = self._rng.choice(["schema_mismatch", "unknown_event_type"])
        if kind == "schema_mismatch":
            message["data"] = {"waves": "none"}
        else:
            message["type"] = "report.forgotten"
        row = {"routing_key": ReportRequested.type_name, "event": message}
        with contextlib.suppress(*BROKEN):
            async with self._database.transaction(tenant) as session:
                await session.execute(insert(gateway.metadata.outbox), [row])
            self.accepted.poison[event_id] = kind

    async def decide(self) -> None:
        """Decide every task that appears, each time by two people at once; runs until cancelled."""
        async with httpx2.AsyncClient(base_url=self._url, timeout=10, trust_env=False) as http:
            while True:
                try:
                    await self._decide_pending(http)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, httpx2.TransportError):
                    await asyncio.sleep(RETRY_SECONDS)
                await asyncio.sleep(LOOK_SECONDS)

    async def _decide_pending(self, http: httpx2.AsyncClient) -> None:
        admin = await asyncpg.connect(self._address, user="postgres")
        try:
            pending = await admin.fetch("select * from gateway.approvals where status = 'pending' limit 50")
            settled = await admin.fetch(
                "select a.* from gateway.approvals a join flow_orchestrator.crewai_flow_state_extensions m"
                " using (client_account_id, engagement_id, flow_id)"
                " where a.status <> 'pending' and m.status <> 'waiting' and a.task_id <> all($1)",
                list(self._late),
            )
            running = await admin.fetch(
                "select flow_id, client_account_id, engagement_id from flow_orchestrator.crewai_flow_state_extensions"
                " where status = 'running' and flow_id <> all($1)",
                list(self._seen_running),
            )
        finally:
            await admin.close()
        await asyncio.gather(*(self._decide_task(http, task) for task in pending))
        for task in settled:
            await self._decide_behind_the_gateway(task)
        for flow in running:
            self._seen_running.add(flow["flow_id"])
            if self._rng.random() < self._load.stale:
                await self._answer_stale(_tenant_of(flow), flow["flow_id"])

    async def _decide_task(self, http: httpx2.AsyncClient, task: Any) -> None:
        headers = {
            "x-api-key": API_KEY,
            "x-client-account-id": str(task["client_account_id"]),
            "x-engagement-id": str(task["engagement_id"]),
        }
        first = "reject" if self._rng.random() < self._load.rejected else "approve"
        answers = await asyncio.gather(
            *(
                http.post(
                    f"/api/v1/approvals/{task['task_id']}/decision",
                    json={"decision": word, "comment": "chaos"},
                    headers=headers,
                )
                for word in (first, "approve")
            ),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                if not isinstance(answer, httpx2.TransportError):
                    raise answer
            elif answer.status_code < 300:
                self.accepted.wins[task["task_id"]] += 1

    async def _decide_behind_the_gateway(self, task: Any) -> None:
        """A late decision that no route stopped: the orchestrator itself has to refuse it."""
        tenant = _tenant_of(task)
        late = ApprovalDecided(
            tenant=tenant,
            flow_id=task["flow_id"],
            task_id=task["task_id"],
            kind=task["kind"],
            decision="reject",
            decided_by="somebody who is late",
        )
        self._late.add(task["task_id"])
        with contextlib.suppress(*BROKEN):
            async with self._database.transaction(tenant) as session:
                await add_events(session, gateway.metadata, [late])

    async def close(self) -> None:
        """Give the connections back."""
        await self._database.close()


def _tenant_of(row: Any) -> Tenant:
    return Tenant(client_account_id=row["client_account_id"], engagement_id=row["engagement_id"])
