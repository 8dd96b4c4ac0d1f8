"""What must hold after any fault, once things have settled: plain SQL as the superuser, who sees everything."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.chassis.service import Service
from tests.chaos.driver import Accepted

MASTER = "flow_orchestrator.crewai_flow_state_extensions"
JOURNAL = "flow_orchestrator.flow_journal"
ENDED = "('completed', 'failed', 'cancelled')"
SHOWN = 3


@dataclass(frozen=True)
class Violation:
    """A promise that was broken, and where."""

    promise: str
    detail: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.detail}"


@dataclass(frozen=True)
class Evidence:
    """What the checks look at."""

    sql: asyncpg.Connection
    services: dict[str, Service]
    accepted: Accepted
    # Messages left in the broker's queues after every service was stopped.
    queued: dict[str, int]
    # Whether deliveries were left in the order in which they were sent.
    ordered: bool = True
    # How long a phase may take before it is asked for again.
    patience_seconds: float = 3600.0
    # How often the process that was killed most often was killed.
    kills: int = 0

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        """What a query gives."""
        return list(await self.sql.fetch(query, *arguments))


Check = Callable[[Evidence], AsyncIterator[str]]
CHECKS: dict[str, Check] = {}


def promise(words: str) -> Callable[[Check], Check]:
    """Register a check under the promise that it checks; it yields what breaks it."""

    def register(check: Check) -> Check:
        CHECKS[words] = check
        return check

    return register


async def dead_letters(evidence: Evidence) -> list[Any]:
    """The dead letters as the audit log has them: event, queue, flow."""
    query = """
        select d ->> 'queue' as queue, d ->> 'event_id' as event_id, d ->> 'code' as code,
            (d -> 'message' ->> 'flowid')::uuid as flow_id
        from (select record::jsonb -> 'data' as d from audit.entries where event_type = 'event.dead_lettered') letters
    """
    return await evidence.rows(query)
