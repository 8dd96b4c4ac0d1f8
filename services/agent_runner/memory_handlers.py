"""What agents remember: heard of people's teaching and decisions, given vectors, forgotten when it counts no more."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

import structlog
from sqlalchemy import bindparam, delete, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agent_memory import (
    AgentMemoryDropped,
    AgentMemoryEmbeddingRequested,
    AgentMemoryForgettingRequested,
    AgentMemoryStored,
)
from contracts.envelope import Tenant
from contracts.flows import ApprovalDecided
from contracts.learning import FieldMappingLearned
from contracts.lifecycle import FlowDeleted
from services.agent_runner.handlers import service
from services.agent_runner.known_handlers import keep_decision, keep_lessons
from services.agent_runner.memory.keeping import forget, forget_lessons, keep
from services.agent_runner.memory.teachings import LESSON, memories_of_lessons, memory_of_decision
from services.agent_runner.models.answer_cache import begin_epoch
from services.agent_runner.models.session import RunContext
from services.agent_runner.models.tenant_model import Models
from services.agent_runner.tables import DecidedTask, MemoryRow
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.work import Job

log = structlog.get_logger()

EMBEDDED_AT_ONCE = 100
EMBEDDING_SECONDS = 60.0
SWEEP_SECONDS = 300.0
# As long as the inbox knows an event that comes again.
REMEMBER_FORGOTTEN = timedelta(days=30)
# The gates whose decisions become learnings, by what their memories are called.
_GATE = "field_mapping"


@service.on
async def remember_lessons(
    event: FieldMappingLearned, session: AsyncSession
) -> list[AgentMemoryStored | AgentMemoryDropped | AgentMemoryEmbeddingRequested]:
    """What a tenant taught counts from now on, and what was undone no more: models are asked anew, too."""
    await keep_lessons(event, session)
    told_as = await begin_epoch(session)
    order = {"revision": event.revision, "told_as": told_as}
    news = await forget_lessons(session, event, event.removed, **order)
    origin = event.learning.origin
    if event.learning.status == "undone" and origin.flow_id is not None:
        at_gate = (MemoryRow.kind == _GATE) & (MemoryRow.flow_id == origin.flow_id)
        news += await forget(session, event, at_gate, "undone", told_as=told_as)
    return news + await keep(session, event, memories_of_lessons(event), **order)


@service.on
async def remember_decision(
    event: ApprovalDecided, session: AsyncSession
) -> list[AgentMemoryStored | AgentMemoryDropped | AgentMemoryEmbeddingRequested] | None:
    """What somebody refused, or said when approving."""
    await keep_decision(event, session)
    memory = memory_of_decision(event)
    if memory is None:
        return None
    return await keep(session, event, [memory], revision=1, told_as=await begin_epoch(session))


@service.on
async def forget_decisions(event: FlowDeleted, session: AsyncSession) -> list[AgentMemoryDropped]:
    """What was decided in a flow goes with it; what was learned from it stays."""
    await session.execute(delete(DecidedTask).where(DecidedTask.flow_id == event.flow_id))
    of_flow = (MemoryRow.flow_id == event.flow_id) & (MemoryRow.kind != LESSON)
    return await forget(session, event, of_flow, "flow_deleted", told_as=await begin_epoch(session))


@service.on
async def forget_on_request(event: AgentMemoryForgettingRequested, session: AsyncSession) -> list[AgentMemoryDropped]:
    """Forget what somebody asks to be forgotten, also in the answers that models gave."""
    which = decided = None
    if event.memory_ids is not None:
        which, decided = (column.in_(event.memory_ids) for column in (MemoryRow.memory_id, DecidedTask.task_id))
    # What tools look up of decisions is a copy of what people said.
    await session.execute(delete(DecidedTask).where(true() if decided is None else decided))
    return await forget(session, event, which, "asked", told_as=await begin_epoch(session))


@service.waiting_work
async def embed_memories(event: AgentMemoryEmbeddingRequested, job: Job) -> AgentMemoryEmbeddingRequested | None:
    """Give memories vectors of the embedding model that counts now; what fails is tried again by the sweep."""
    models = job.shared[Models]
    embedder = await models.embedder(event.tenant)
    lacking = MemoryRow.forgotten_at.is_(None) & MemoryRow.embedder.is_distinct_from(embedder)
    async with job.reading() as session:
        statement = select(MemoryRow.memory_id, MemoryRow.text).where(lacking).order_by(MemoryRow.at.desc())
        rows = (await session.execute(statement.limit(EMBEDDED_AT_ONCE))).all()
    if not rows or embedder is None:
        return None
    deadline = time.monotonic() + EMBEDDING_SECONDS
    context = RunContext(event.tenant, None, event.id, "memory", "", None, deadline)
    found = await models.embed(context, [row.text for row in rows])
    if found.problem is not None:
        log.warning("memories_not_embedded", memories=len(rows), reason=found.problem.detail)
        return None
    session = await job.begin()
    # Of one that was forgotten, or said anew, meanwhile the vector is of no use.
    same = (MemoryRow.memory_id == bindparam("this")) & (MemoryRow.text == bindparam("said"))
    new: dict[str, Any] = {"embedder": bindparam("whose"), "embedding": bindparam("vector")}
    await (await session.connection()).execute(
        update(MemoryRow).where(same, MemoryRow.forgotten_at.is_(None)).values(new),
        [
            {"this": row.memory_id, "said": row.text, "whose": found.embedder, "vector": list(vector)}
            for row, vector in zip(rows, found.vectors, strict=True)
        ],
    )
    models.memory.look_again()
    return AgentMemoryEmbeddingRequested.reply_to(event) if len(rows) == EMBEDDED_AT_ONCE else None


@service.every(SWEEP_SECONDS)
async def look_after_memories(runtime: Runtime) -> None:
    """Ask for vectors where some are missing or of another model, and let go of what was forgotten long ago."""
    columns = MemoryRow.client_account_id, MemoryRow.engagement_id, MemoryRow.embedder
    whose: dict[Tenant, set[str | None]] = {}
    async with runtime.database.dispatch() as connection:
        await connection.execute(
            delete(MemoryRow).where(MemoryRow.forgotten_at < datetime.now(UTC) - REMEMBER_FORGOTTEN)
        )
        there = select(*columns).where(MemoryRow.forgotten_at.is_(None)).distinct()
        for client, engagement, embedder in await connection.execute(there):
            tenant = Tenant(client_account_id=client, engagement_id=engagement)
            whose.setdefault(tenant, set()).add(embedder)
    # The same for every runner that looks at about the same time: whose request comes second changes nothing.
    name = f"memories {int(time.time() / SWEEP_SECONDS)}"
    for tenant, embedders in whose.items():
        if embedders <= {await runtime.shared[Models].embedder(tenant)}:
            continue
        request = AgentMemoryEmbeddingRequested(tenant=tenant, id=uuid5(tenant.engagement_id, name))
        async with runtime.database.transaction(tenant) as session:
            await add_events(session, service.metadata, [request])
        runtime.committed()
