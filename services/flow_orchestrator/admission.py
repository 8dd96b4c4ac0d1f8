"""Who may run now: so many flows of a tenant at once, one at a time of each concurrency key, the rest queues.

Flows that wait for people take no slot, and queue for one when they are approved, resumed or forked. An advisory lock
a tenant makes the count exact with several orchestrators.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.tables import MASTER

TABLE = f"flow_orchestrator.{MASTER}"
# Flows that wait for a person take no slot: they may wait for months.
RUNNING_FLOWS = 1_000

_ENDED = "('completed', 'failed', 'cancelled')"

# Until the transaction ends no other orchestrator counts this tenant's flows, so two cannot give away the same slot.
_ONE_AT_A_TIME = text(
    "select pg_advisory_xact_lock(hashtextextended('admission:' || current_setting('app.client_account_id')"
    " || current_setting('app.engagement_id'), 0))"
)
_COUNT = text(f"""
    select coalesce((select running_flows from flow_orchestrator.tenant_limits), :default) as cap,
        coalesce((select weight from flow_orchestrator.tenant_limits), 1) as weight,
        (select count(*) from {TABLE} where status = 'running' and flow_id <> all(cast(:own as uuid[]))) as running,
        array(
            select distinct concurrency_key from {TABLE}
            where concurrency_key is not null and status not in ('created', 'scheduled', 'queued')
                and status not in {_ENDED} and flow_id <> all(cast(:own as uuid[]))
        ) as keys_held,
        exists (select from {TABLE} where status = 'queued' and flow_id <> all(cast(:own as uuid[]))) as queue
""")
_NEXT = text(f"""
    select flow_id from {TABLE} queued
    where status = 'queued' and flow_id <> all(cast(:own as uuid[])) and not exists (
        select from {TABLE} holder where holder.concurrency_key = queued.concurrency_key
            and holder.status not in ('created', 'scheduled', 'queued') and holder.status not in {_ENDED}
            and holder.flow_id <> all(cast(:own as uuid[]))
    )
    order by priority desc, created_at limit :free
""")


@dataclass
class Room:
    """What a tenant may still begin in this transaction, given what the flows of the batch have become by now."""

    cap: int
    weight: int
    running_elsewhere: int
    keys_held_elsewhere: frozenset[str]
    queue_elsewhere: bool
    _running: int = 0
    _keys: Counter[str] = field(default_factory=Counter)

    def move(self, before: FlowState | None, after: FlowState | None) -> None:
        """Count a flow of the batch as what it has become; None: it is new to the batch, or gone."""
        for state, count in ((before, -1), (after, 1)):
            if state is not None:
                self._running += count * (state.status == "running")
                if state.concurrency_key is not None and holds_key(state):
                    self._keys[state.concurrency_key] += count

    @property
    def free(self) -> int:
        """Slots that are free."""
        return max(0, self.cap - self.running_elsewhere - self._running)

    def admits(self, concurrency_key: str | None) -> bool:
        """Whether one more flow, with this key, may begin."""
        if not self.free:
            return False
        return concurrency_key is None or not (
            concurrency_key in self.keys_held_elsewhere or self._keys[concurrency_key]
        )


def holds_key(state: FlowState) -> bool:
    """Whether a flow keeps others of its concurrency key waiting."""
    return not state.ended and state.status not in ("created", "scheduled", "queued")


async def room(session: AsyncSession, own: Iterable[UUID]) -> Room:
    """Count what the tenant runs beside the flows of the batch (`own`), and keep others from counting meanwhile."""
    own = list(own)
    await session.execute(_ONE_AT_A_TIME)
    found = (await session.execute(_COUNT, {"default": RUNNING_FLOWS, "own": own})).one()
    return Room(found.cap, found.weight, found.running, frozenset(found.keys_held), found.queue)


async def next_in_queue(session: AsyncSession, own: Iterable[UUID], free: int) -> list[UUID]:
    """Queued flows outside the batch that could begin: highest priority first, then the oldest."""
    return list((await session.execute(_NEXT, {"own": list(own), "free": free})).scalars())
