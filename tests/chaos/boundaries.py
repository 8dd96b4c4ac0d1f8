"""Where a process can be struck, seen from outside its code: at commits, at the bus, in the middle of work."""

import asyncio
import json
import os
import random
import signal
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import orjson
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Connection, Engine

from services.chassis.bus.transport import Delivery, Subscription, Transport

Boundary = Literal[
    "before_commit",
    "after_commit",
    "before_publish",
    "after_publish",
    "before_ack",
    "after_ack",
    "in_work",
]
BOUNDARIES: tuple[Boundary, ...] = get_args(Boundary)
# SIGKILL; SIGSTOP, until somebody lets it go on; or an error as a broken connection gives one.
Action = Literal["kill", "stop", "fail"]

WRITES = ("insert", "update", "delete", "with", "merge", "copy")
# An acknowledgement is on the wire within this time after its message was handled.
ACK_SECONDS = 0.02
REMEMBERED_DELIVERIES = 20


@dataclass(frozen=True)
class Fault:
    """At the `nth` passage of a boundary, do this to the process; `every` repeats it after so many more passages."""

    boundary: Boundary
    nth: int
    action: Action = "kill"
    every: int | None = None

    def __str__(self) -> str:
        return f"{self.action} at {self.boundary} no. {self.nth}"

    def strikes(self, passage: int) -> bool:
        """Whether this is the passage."""
        if self.every is not None and passage > self.nth:
            return (passage - self.nth) % self.every == 0
        return passage == self.nth


@dataclass(frozen=True)
class Disturbance:
    """How deliveries go wrong, as probabilities a message."""

    shuffled: float = 0.0
    repeated_within: float = 0.0
    stale_before: float = 0.0


class Boundaries:
    """Counts the passages of each boundary in this process, and strikes as planned."""

    def __init__(self, faults: tuple[Fault, ...], diary: "Diary") -> None:
        self._faults = faults
        self._diary = diary
        self.passed: dict[str, int] = dict.fromkeys(BOUNDARIES, 0)

    def reached(self, boundary: Boundary) -> None:
        """Say that a boundary is being passed."""
        self.passed[boundary] += 1
        for fault in self._faults:
            if fault.boundary == boundary and fault.strikes(self.passed[boundary]):
                self._strike(fault)

    def _strike(self, fault: Fault) -> None:
        self._diary.note(struck=asdict(fault))
        if fault.action == "fail":
            raise ConnectionError(f"the fault plan says: {fault}")
        os.kill(os.getpid(), signal.SIGKILL if fault.action == "kill" else signal.SIGSTOP)

    def watch_commits(self) -> None:
        """Count the commits of transactions that wrote, on every connection to Postgres of this process."""
        event.listen(Engine, "before_cursor_execute", self._before_statement)
        event.listen(Engine, "after_cursor_execute", self._after_statement)
        commit: Any = PGDialect_asyncpg.do_commit

        def do_commit(dialect: Any, connection: Any) -> None:
            wrote = connection.info.pop("chaos_wrote", False)
            if wrote:
                self.reached("before_commit")
            commit(dialect, connection)
            if wrote:
                self.reached("after_commit")

        PGDialect_asyncpg.do_commit = do_commit  # type: ignore[method-assign]

    def _before_statement(self, connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if _writes(statement) and _commits_itself(connection):
            self.reached("before_commit")

    def _after_statement(self, connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if not _writes(statement):
            return
        if _commits_itself(connection):
            self.reached("after_commit")
        else:
            connection.info["chaos_wrote"] = True


def _writes(statement: str) -> bool:
    return statement.lstrip().lower().startswith(WRITES)


def _commits_itself(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


class Diary:
    """What a process notes for those who watch it; a note is on disk when `note` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, **facts: Any) -> None:
        """Append one line."""
        os.write(self._file, json.dumps(facts).encode() + b"\n")

    @staticmethod
    def read(path: Path) -> list[dict[str, Any]]:
        """Every note so far."""
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class FaultyTransport:
    """A transport whose boundaries are counted, and whose deliveries are repeated and reordered as disturbed."""

    def __init__(
        self, transport: Transport, boundaries: Boundaries, disturbance: Disturbance, rng: random.Random
    ) -> None:
        self._transport = transport
        self._boundaries = boundaries
        self._disturbance = disturbance
        self._rng = rng

    async def start(self, subscriptions: list[Subscription]) -> None:
        """Start with deliveries that pass through here."""
        await self._transport.start([self._watched(subscription) for subscription in subscriptions])

    def _watched(self, subscription: Subscription) -> Subscription:
        earlier: deque[Delivery] = deque(maxlen=REMEMBERED_DELIVERIES)

        async def deliver(delivery: Delivery) -> None:
            if earlier and self._chance(self._disturbance.stale_before):
                await subscription.deliver(self._rng.choice(list(earlier)))
            await subscription.deliver(self._disturbed(delivery))
            earlier.append(delivery)
            self._boundaries.reached("before_ack")
            asyncio.get_running_loop().call_later(ACK_SECONDS, self._boundaries.reached, "after_ack")

        return replace(subscription, deliver=deliver)

    def _chance(self, probability: float) -> bool:
        return self._rng.random() < probability

    def _disturbed(self, delivery: Delivery) -> Delivery:
        shuffle, repeat = self._chance(self._disturbance.shuffled), self._chance(self._disturbance.repeated_within)
        if not shuffle and not repeat:
            return delivery
        try:
            messages = [orjson.loads(body) for body in (delivery.body, *delivery.more)]
        except orjson.JSONDecodeError:
            return delivery
        parts = [part for message in messages for part in (message if isinstance(message, list) else [message])]
        if repeat:
            parts.append(self._rng.choice(parts))
        if shuffle:
            self._rng.shuffle(parts)
        return replace(delivery, body=orjson.dumps(parts), more=())

    async def stop(self) -> None:
        """Stop."""
        await self._transport.stop()

    async def publish(self, exchange: str, routing_key: str, message: Delivery) -> None:
        """Publish between two boundaries."""
        self._boundaries.reached("before_publish")
        await self._transport.publish(exchange, routing_key, message)
        self._boundaries.reached("after_publish")

    async def send(self, queue: str, message: Delivery) -> None:
        """Send between two boundaries."""
        self._boundaries.reached("before_publish")
        await self._transport.send(queue, message)
        self._boundaries.reached("after_publish")

    async def ping(self) -> None:
        """Ping."""
        await self._transport.ping()

    def __getattr__(self, name: str) -> Any:
        """Whatever else a transport can do, as it does it."""
        return getattr(self._transport, name)
