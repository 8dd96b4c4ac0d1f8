"""The outbox: events leave with the transaction that caused them, and only from here."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import structlog
from sqlalchemy import delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from contracts.envelope import EVENT_TYPES, Event
from services.chassis.bus.transport import EVENTS, PUBLIC, Delivery, Transport, Unroutable
from services.chassis.database import Database
from services.chassis.tables import ServiceMetaData
from services.chassis.telemetry import current_traceparent, without_spans

log = structlog.get_logger()

BATCH_ROWS = 1_000
MESSAGE_EVENTS = 200
MESSAGE_BYTES = 4 * 1024**2
# A group whose message could not be sent waits this long and holds up no other.
UNSENT_PAUSE = timedelta(seconds=1)
# Between attempts to reach a database that is away.
FAILURE_PAUSE_SECONDS = 1.0


async def add_events(session: AsyncSession, metadata: ServiceMetaData, events: Sequence[Event]) -> None:
    """Write `events` with the current transaction, under the tenant that it entered, and the current trace."""
    if not events:
        return
    traceparent, source = current_traceparent(), f"/services/{metadata.service}"
    rows = [
        {
            "routing_key": event.type_name,
            "event": event.model_copy(
                update={"traceparent": event.traceparent or traceparent, "source": source}
            ).to_cloudevent(),
        }
        for event in events
    ]
    await session.execute(insert(metadata.outbox), rows)


async def add_directed(
    session: AsyncSession, metadata: ServiceMetaData, queue: str, message: dict[str, Any], delay: timedelta
) -> None:
    """Write a CloudEvent that goes to one queue only, no sooner than after `delay`."""
    row = {
        "routing_key": str(message.get("type", "")),
        "queue": queue,
        "event": message,
        "available_at": datetime.now(UTC) + delay,
    }
    await session.execute(insert(metadata.outbox), [row])


class Relay:
    """Moves a service's outbox to the bus. One process a service does it at a time, which keeps the order."""

    def __init__(
        self, database: Database, metadata: ServiceMetaData, transport: Transport, poll_seconds: float
    ) -> None:
        self._database = database
        self._outbox = metadata.outbox
        self._transport = transport
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self._lock = f"outbox:{metadata.service}"
        self._paused: dict[tuple[str, str | None], datetime] = {}

    def wake(self) -> None:
        """Look again at once: a transaction of this process has just committed."""
        self._wake.set()

    async def run(self) -> None:
        """Move events until cancelled; survives the loss of database and bus."""
        while True:
            try:
                with without_spans():
                    await self._lead()
            except Exception:
                log.exception("outbox_relay_failed", detail="The outbox could not be moved; it will be tried again.")
                await asyncio.sleep(FAILURE_PAUSE_SECONDS)

    async def _lead(self) -> None:
        async with self._database.dispatch_engine.connect() as connection:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            take_lead = text("select pg_try_advisory_lock(hashtextextended(:lock, 0))")
            while not (await connection.execute(take_lead, {"lock": self._lock})).scalar():  # noqa: ASYNC110 - it is Postgres
                await asyncio.sleep(max(1.0, self._poll_seconds))
            try:
                while True:
                    self._wake.clear()
                    if await self.move(connection) == 0:
                        await self._idle()
            finally:
                # The lock belongs to the connection: closing it hands the lead over even if this process is ill.
                await connection.invalidate()

    async def _idle(self) -> None:
        # Not `wait_for`: on Python 3.11 it can swallow a cancellation, and this loop would never end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds):
                await self._wake.wait()

    async def move(self, connection: AsyncConnection) -> int:
        """Send what is ready, delete what was confirmed; returns how many rows left the outbox."""
        now = datetime.now(UTC)
        self._paused = {group: until for group, until in self._paused.items() if until > now}
        # Later events of a group that could not be sent wait with the first one, which keeps their order.
        paused = [f"{routing_key} {queue or ''}" for routing_key, queue in self._paused]
        ready = text(
            f"select seq, routing_key, queue, event::text as event from {self._outbox.fullname}"
            " where available_at <= now() and routing_key || ' ' || coalesce(queue, '') <> all(cast(:paused as text[]))"
            " order by seq limit :limit"
        )
        rows = (await connection.execute(ready, {"paused": paused, "limit": BATCH_ROWS})).all()
        groups: dict[tuple[str, str | None], list[Any]] = defaultdict(list)
        for row in rows:
            groups[row.routing_key, row.queue].append(row)
        outcomes = await asyncio.gather(*(self._send(key, queue, group) for (key, queue), group in groups.items()))
        sent = [seq for done in outcomes for seq in done]
        if sent:
            await connection.execute(delete(self._outbox).where(self._outbox.c.seq.in_(sent)))
        return len(sent)

    async def _send(self, routing_key: str, queue: str | None, rows: list[Any]) -> list[int]:
        """Send one group in order; returns the rows that are safe, and pauses the group if not all are."""
        done: list[int] = []
        try:
            # A retry travels alone, so that an event that ends its process takes no other with it.
            for pack in _packed(rows) if queue is None else [[row] for row in rows]:
                message = Delivery(body=b"[" + b",".join(row.event.encode() for row in pack) + b"]")
                if queue is not None:
                    await self._transport.send(queue, message)
                else:
                    await self._transport.publish(EVENTS, routing_key, message)
                    await self._publish_openly(routing_key, pack)
                done.extend(row.seq for row in pack)
        except Unroutable as error:
            log.warning("outbox_unroutable", routing_key=routing_key, queue=queue, error=str(error))
        except Exception:
            log.exception("outbox_unsent", routing_key=routing_key, queue=queue, rows=len(rows) - len(done))
        if len(done) < len(rows):
            self._paused[routing_key, queue] = datetime.now(UTC) + UNSENT_PAUSE
        return done

    async def _publish_openly(self, routing_key: str, rows: list[Any]) -> None:
        event_class = EVENT_TYPES.get(routing_key)
        if event_class is None or not event_class.public:
            return
        for row in rows:
            attributes = {key: value for key, value in orjson.loads(row.event).items() if key != "data"}
            message = Delivery(
                body=row.event.encode(),
                content_type="application/cloudevents+json",
                headers={f"cloudEvents_{key}": value for key, value in attributes.items()},
            )
            await self._transport.publish(PUBLIC, routing_key, message)


def _packed(rows: list[Any]) -> list[list[Any]]:
    """Rows cut into messages that are neither too many events nor too many bytes."""
    packs: list[list[Any]] = [[]]
    size = 0
    for row in rows:
        if packs[-1] and (len(packs[-1]) >= MESSAGE_EVENTS or size + len(row.event) > MESSAGE_BYTES):
            packs.append([])
            size = 0
        packs[-1].append(row)
        size += len(row.event)
    return packs
