"""The relay: moves a service's outbox to the bus, in order, and deletes what was confirmed.

One relay a service, chosen by an advisory lock. It packs what is ready for one routing key into one message, and
deletes rows after the confirm along with its next look: round trips are what a hop costs (deploy/bench/FLOWS.md).
"""

import asyncio
import contextlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.envelope import EVENT_TYPES
from services.chassis.bus.transport import ALONE, EVENTS, PUBLIC, Delivery, Transport, Unroutable
from services.chassis.database import Database
from services.chassis.tables import ServiceMetaData
from services.chassis.telemetry import without_spans

log = structlog.get_logger()

BATCH_ROWS = 2_000
MESSAGE_EVENTS = 500
MESSAGE_BYTES = 4 * 1024**2
# A group whose message could not be sent waits this long and holds up no other.
UNSENT_PAUSE = timedelta(seconds=1)
# What was confirmed is deleted by the next look at the outbox, so that a busy one takes no extra round trip for it.
DELETION_PAUSE_SECONDS = 0.05
# Between attempts to reach a database that is away.
FAILURE_PAUSE_SECONDS = 1.0

# Rows that leave together: a routing key, and the queue if they go to that one only.
_Group = tuple[str, str | None]


class Relay:
    """Moves a service's outbox to the bus. One process a service does it at a time, which keeps the order."""

    def __init__(
        self, database: Database, metadata: ServiceMetaData, transport: Transport, poll_seconds: float
    ) -> None:
        self._database = database
        self._transport = transport
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self._lock = f"outbox:{metadata.service}"
        self._paused: dict[_Group, datetime] = {}
        # A group stays here until its rows are deleted, or they would be read and sent again.
        self._sending: dict[_Group, asyncio.Task[None]] = {}
        self._done: list[_Group] = []
        self._sent: list[int] = []
        # Groups that were on their way when the outbox was looked at last, which may have more of them.
        self._passed_over: set[_Group] = set()
        self._next_look: asyncio.TimerHandle | None = None
        outbox = metadata.outbox.fullname
        ready = (
            f"select seq, routing_key, queue, event::text as event from {outbox}"
            " where available_at <= now() and routing_key || ' ' || coalesce(queue, '') <> all(cast(:held as text[]))"
        )
        in_order = "order by seq limit :limit"
        delete = f"delete from {outbox} where seq = any(cast(:sent as bigint[]))"
        # nosemgrep: raw-sql - names of ours, no values
        self._ready = text(f"{ready} {in_order}")
        # One statement sees one state of the table: rows that it deletes are still there for its own look.
        # nosemgrep: raw-sql - names of ours, no values
        self._deleting_ready = text(
            f"with gone as ({delete} returning seq) {ready} and seq not in (select seq from gone) {in_order}"
        )

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
            # A deletion that is lost with the machine means a message sent twice, which every inbox knows how to take.
            await connection.execute(text("set synchronous_commit = off"))
            try:
                while True:
                    self._wake.clear()
                    if not await self._move(connection):
                        await self._idle()
            finally:
                await self._end_sending()
                # The lock belongs to the connection: closing it hands the lead over even if this process is ill.
                await connection.invalidate()

    async def _idle(self) -> None:
        # Not `wait_for`: on Python 3.11 it can swallow a cancellation, and this loop would never end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds):
                await self._wake.wait()

    async def _end_sending(self) -> None:
        """Stop what is on its way, so that whoever leads next keeps the order."""
        tasks = list(self._sending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sending.clear()
        self._passed_over.clear()
        self._done.clear()
        self._sent.clear()

    async def _move(self, connection: AsyncConnection) -> bool:
        """Delete what was confirmed and begin to send what is ready; returns whether there may be more.

        A group is sent by a task of its own and read again only when that is done: its order holds, and none waits
        for another.
        """
        sent, self._sent = self._sent, []
        done, self._done = self._done, []
        for group in done:
            del self._sending[group]
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        now = datetime.now(UTC)
        self._paused = {group: until for group, until in self._paused.items() if until > now}
        self._passed_over = set(self._sending)
        # Later events of a group that could not be sent wait with the first one, which keeps their order.
        held = [f"{routing_key} {queue or ''}" for routing_key, queue in (*self._paused, *self._sending)]
        wanted = {"held": held, "limit": BATCH_ROWS}
        if sent:
            rows = (await connection.execute(self._deleting_ready, {**wanted, "sent": sent})).all()
        else:
            rows = (await connection.execute(self._ready, wanted)).all()
        groups: dict[_Group, list[Any]] = defaultdict(list)
        for row in rows:
            groups[row.routing_key, row.queue].append(row)
        for group, of_group in groups.items():
            self._sending[group] = asyncio.create_task(self._send(group, of_group))
        return len(rows) == BATCH_ROWS

    async def _send(self, group: _Group, rows: list[Any]) -> None:
        """Send one group in order, note the rows that are safe, and pause the group if not all are."""
        routing_key, queue = group
        done = 0
        try:
            # A retry travels alone, so that an event that ends its process takes no other with it.
            for pack in _packed(rows) if queue is None else [[row] for row in rows]:
                body = f"[{','.join(row.event for row in pack)}]".encode()
                if queue is not None:
                    await self._transport.send(queue, Delivery(body, headers={ALONE: "1"}))
                else:
                    await self._transport.publish(EVENTS, routing_key, Delivery(body))
                    await self._publish_openly(routing_key, pack)
                self._sent += [row.seq for row in pack]
                done += len(pack)
        except Unroutable as error:
            log.warning("outbox_unroutable", routing_key=routing_key, queue=queue, error=str(error))
        except Exception:
            log.exception("outbox_unsent", routing_key=routing_key, queue=queue, rows=len(rows) - done)
        if done < len(rows):
            self._paused[group] = datetime.now(UTC) + UNSENT_PAUSE
        self._done.append(group)
        if group in self._passed_over:
            self._wake.set()
        elif self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(DELETION_PAUSE_SECONDS, self._wake.set)

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
