"""Whoever watches agents: news are read from the table, and these only say when to look.

A commit of this process wakes its watchers at once; Redis tells those of other gateways; a look at the numbers once a
second finds what neither told, so that without Redis everything comes, too, a second late at most.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Engine, Select, event, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from contracts.envelope import Tenant
from services.chassis.runtime import Runtime
from services.chassis.telemetry import without_spans
from services.gateway.agents.tables import AgentNewsHead, AgentNewsRow
from services.gateway.problems import TryLater

log = structlog.get_logger()

LOOK_SECONDS = 1.0
CHANNEL = "modernize:agent_news"
# Each holds a connection.
MOST_WATCHERS = 100
READ_ROWS = 200

_HEADS = text("""
    select head.client_account_id, head.engagement_id, head.seq from gateway.agent_news_heads head
    join unnest(cast(:clients as uuid[]), cast(:engagements as uuid[])) as watched (client, engagement)
    on (head.client_account_id, head.engagement_id) = (watched.client, watched.engagement)
""")
_WATCHES: WeakKeyDictionary[Engine, "AgentWatch"] = WeakKeyDictionary()


class TooManyWatchers(TryLater):
    """This gateway holds as many connections for a tenant as it may."""

    status = 429


@dataclass(frozen=True)
class Wanted:
    """Which news somebody wants: of one task, of one flow, or all."""

    task_id: UUID | None = None
    flow_id: UUID | None = None


@dataclass(frozen=True)
class Missed:
    """Some news are not kept any more, up to this number: what stands now has to be asked for anew."""

    up_to: int


@dataclass(frozen=True)
class News:
    """What was told, and the number up to which that is all that was wanted."""

    rows: list[AgentNewsRow]
    up_to: int


class AgentWatch:
    """Wakes the watchers of one gateway."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._watchers: dict[Tenant, set[asyncio.Event]] = defaultdict(set)
        self._seen: dict[Tenant, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()
        _WATCHES[runtime.database.engine.sync_engine] = self

    async def news(self, tenant: Tenant, after: int, wanted: Wanted, seconds: float) -> AsyncIterator[News | Missed]:
        """What was told after the number `after`, and for so many seconds what is told then.

        The first comes at once, also where there is nothing. Raises `TooManyWatchers`.
        """
        until = asyncio.get_running_loop().time() + seconds
        with self._watching(tenant) as woken:
            async with self._runtime.database.transaction(tenant) as session:
                missed = await _missed(session, after)
            if missed is not None:
                after = missed.up_to
                yield missed
            told = False
            while True:
                woken.clear()
                async with self._runtime.database.transaction(tenant) as session:
                    # Whoever tells holds the number until its commit, so everything up to it is there.
                    head = await newest(session)
                    rows = list(await session.scalars(_between(after, head, wanted)))
                full = len(rows) == READ_ROWS
                after = rows[-1].seq if full else max(after, head)
                if rows or not told:
                    told = True
                    yield News(rows, after)
                if not full and not await _rings(woken, until):
                    return

    def check_room(self, tenant: Tenant) -> None:
        """Raise `TooManyWatchers` where no more may watch."""
        if len(self._watchers.get(tenant, ())) >= MOST_WATCHERS:
            detail = f"This gateway holds {MOST_WATCHERS} connections of this engagement already. Try in a minute."
            raise TooManyWatchers("too_many_watchers", detail, seconds=60)

    def told(self, tenant: Tenant) -> None:
        """More was committed here: wake who watches, and let the other gateways know."""
        self._wake(tenant)
        if self._runtime.signals.shared:
            word = f"{tenant.client_account_id} {tenant.engagement_id}"
            task = asyncio.get_running_loop().create_task(self._runtime.signals.send(CHANNEL, word))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def _wake(self, tenant: Tenant) -> None:
        for woken in self._watchers.get(tenant, ()):
            woken.set()

    @contextlib.contextmanager
    def _watching(self, tenant: Tenant) -> Iterator[asyncio.Event]:
        self.check_room(tenant)
        watchers = self._watchers[tenant]
        watchers.add(woken := asyncio.Event())
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._look()),
                loop.create_task(self._runtime.signals.hear(CHANNEL, self._hear)),
            ]
        try:
            yield woken
        finally:
            watchers.discard(woken)
            if not watchers:
                del self._watchers[tenant]
                self._seen.pop(tenant, None)
            if not self._watchers:
                for task in self._tasks:
                    task.cancel()
                self._tasks = []

    async def _look(self) -> None:
        """Wake those whose numbers have grown, whoever made them grow."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                with without_spans():
                    await self._compare()
            except (DBAPIError, OSError):
                log.warning("agent_news_not_looked_at", again_in_seconds=LOOK_SECONDS, exc_info=True)

    async def _compare(self) -> None:
        tenants = list(self._watchers)
        watched = {
            "clients": [tenant.client_account_id for tenant in tenants],
            "engagements": [tenant.engagement_id for tenant in tenants],
        }
        async with self._runtime.database.dispatch() as connection:
            rows = (await connection.execute(_HEADS, watched)).all()
        for row in rows:
            tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
            if self._seen.get(tenant) != row.seq and tenant in self._watchers:
                self._seen[tenant] = row.seq
                self._wake(tenant)

    def _hear(self, word: str) -> None:
        """Another gateway has news for a tenant."""
        client, _, engagement = word.partition(" ")
        self._wake(Tenant.model_validate({"client_account_id": client, "engagement_id": engagement}))


async def _rings(woken: asyncio.Event, until: float) -> bool:
    """Whether there is something to look at before the loop's time `until`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await woken.wait()
            return True
    return False


async def newest(session: AsyncSession) -> int:
    """The number of the newest news of the session's tenant; 0 before the first."""
    return await session.scalar(select(AgentNewsHead.seq)) or 0


async def _missed(session: AsyncSession, after: int) -> Missed | None:
    """What of the news after a number is not kept any more, or never was, as for a number of another database."""
    head = await newest(session)
    oldest = await session.scalar(select(func.min(AgentNewsRow.seq)))
    first = head + 1 if oldest is None else oldest
    if after > head:
        return Missed(head)
    return Missed(first - 1) if after + 1 < first else None


def _between(after: int, head: int, wanted: Wanted) -> Select[AgentNewsRow]:
    statement = select(AgentNewsRow).where(AgentNewsRow.seq > after, AgentNewsRow.seq <= head)
    if wanted.task_id is not None:
        statement = statement.where(AgentNewsRow.task_id == wanted.task_id)
    if wanted.flow_id is not None:
        statement = statement.where(AgentNewsRow.flow_id == wanted.flow_id)
    return statement.order_by(AgentNewsRow.seq).limit(READ_ROWS)


def wake_after_commit(session: AsyncSession, tenant: Tenant) -> None:
    """Wake the watchers of this process once the transaction has committed."""

    def committed(inner: Session) -> None:
        watch = _WATCHES.get(inner.get_bind().engine)
        # A savepoint that ends is no commit.
        if watch is not None and not inner.in_nested_transaction():
            watch.told(tenant)

    event.listen(session.sync_session, "after_commit", committed)
