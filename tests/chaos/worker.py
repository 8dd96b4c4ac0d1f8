"""The worker of the fault tests: it answers the phases of a planning, and leaves a row for each thing it did."""

import asyncio
from collections import Counter
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Table, Text, Uuid, insert
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import BlobRef, Event
from contracts.planning import (
    ReportCompleted,
    ReportFailed,
    ReportRequested,
    WavePlanningCompleted,
    WavePlanningFailed,
    WavePlanningRequested,
)
from services.chassis.service import Service
from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import CLIENT_ACCOUNT, ENGAGEMENT
from services.chassis.work import Job
from tests.chaos.boundaries import Boundaries

METADATA = ServiceMetaData("chaos_worker")
# Nothing of what is counted is unique, so that a second effect would show.
EFFECTS = Table(
    "effects",
    METADATA,
    Column("client_account_id", Uuid, primary_key=True, server_default=sql(CLIENT_ACCOUNT)),
    Column("engagement_id", Uuid, primary_key=True, server_default=sql(ENGAGEMENT)),
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("flow_id", Uuid, nullable=False),
    Column("step", Text, nullable=False),
    Column("request_id", Uuid, nullable=False),
    Column("reply_id", Uuid, nullable=False),
)

# What a flow's request asks of the worker: numbers of `limits.max_assets`, words among `report.files`.
ALWAYS_FAILS, FAILS_AT_FIRST = 1, 2
POISON, FLAKY = "poison", "flaky"

BLOB = BlobRef(key="k", sha256="0", size_bytes=0, media_type="application/vnd.apache.parquet")


class Misbehaved(Exception):
    """The worker was asked to fail here."""


class Moods:
    """Fails where a request asks for it."""

    def __init__(self) -> None:
        self._failures: Counter[UUID] = Counter()

    def plan(self, event: WavePlanningRequested) -> None:
        """Raise if this planning shall fail now."""
        if event.limits.max_assets == ALWAYS_FAILS:
            raise Misbehaved("always")
        if event.limits.max_assets == FAILS_AT_FIRST:
            self._fail_at_first(event.id, 1)

    def report(self, event: ReportRequested) -> None:
        """Raise if this report shall fail now."""
        if POISON in event.report.files:
            raise Misbehaved("always")
        if FLAKY in event.report.files:
            # In its batch, alone, and once more after that: only an event that is sent again succeeds.
            self._fail_at_first(event.id, 3)

    def _fail_at_first(self, event_id: UUID, times: int) -> None:
        if self._failures[event_id] < times:
            self._failures[event_id] += 1
            raise Misbehaved("at first")


def chaos_worker(boundaries: Boundaries | None = None) -> Service:
    """The service; `boundaries` tells it where in the middle of its long work something shall happen."""
    service = Service(METADATA)
    moods = Moods()

    @service.work
    async def plan_waves(event: WavePlanningRequested, job: Job) -> WavePlanningCompleted | WavePlanningFailed:
        """Long work with one effect; `limits.pilot_assets` is how many hundredths of a second it takes."""
        if boundaries is not None:
            boundaries.reached("in_work")
        await asyncio.sleep((event.limits.pilot_assets - 1) / 100)
        moods.plan(event)
        reply = WavePlanningCompleted.reply_to(event, plan=BLOB, waves=[], unplanned={})
        await _leave(await job.begin(), event, reply)
        return reply

    @service.on
    async def write_report(
        events: list[ReportRequested], session: AsyncSession
    ) -> list[ReportCompleted | ReportFailed]:
        """Short work on many requests at once, with one effect for each."""
        replies: list[ReportCompleted | ReportFailed] = []
        for event in events:
            moods.report(event)
            replies.append(ReportCompleted.reply_to(event, files={}))
            await _leave(session, event, replies[-1])
        return replies

    return service


async def _leave(session: AsyncSession, request: Event, reply: Event) -> None:
    row = {"flow_id": request.flow_id, "step": request.step or "", "request_id": request.id, "reply_id": reply.id}
    await session.execute(insert(EFFECTS).values(row))
