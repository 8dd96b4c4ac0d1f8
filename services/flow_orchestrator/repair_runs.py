"""Repairs as they run: a tenant's flows piece by piece, on demand and, all the time, by the clock.

It looks without a lock, then looks again at what seemed wrong under one, so that healthy flows do not notice. Work
that was lost is left to its time-out.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event, Tenant, uuid7
from contracts.lifecycle import FlowRepair, FlowRepairCompleted, FlowRepairRequested
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.flow_orchestrator import store
from services.flow_orchestrator.batch import Batch
from services.flow_orchestrator.decision import Decision
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.handlers import service
from services.flow_orchestrator.limits import begin_queued
from services.flow_orchestrator.repair import Mending, mend, restored
from services.flow_orchestrator.repair_rows import Unreadable, next_flows, read, write
from services.flow_orchestrator.tables import MASTER, RepairRun

log = structlog.get_logger()

# How often the clock has all live flows looked at, and how often a run takes its next piece.
ROUND_SECONDS = 300.0
PIECE_SECONDS = 1.0
PIECE_FLOWS = 100
# The event names so many repairs; the journals of the flows name all.
NAMED_REPAIRS = 1_000

_LIVE_TENANTS = text(
    f"select distinct client_account_id, engagement_id from flow_orchestrator.{MASTER}"
    " where status not in ('completed', 'failed', 'cancelled')"
)
_RUNS = select(RepairRun.client_account_id, RepairRun.engagement_id, RepairRun.repair_id)


async def begin_repair(event: FlowRepairRequested, session: AsyncSession) -> None:
    """Have the tenant's flows, or the one named, looked at; what follows is `flow_repair.completed`."""
    await _begin(session, event.repair_id, event.requested_by, event.flow_id)


service.subscribe(
    begin_repair,
    hears=[FlowRepairRequested],
    emits=list(dict.fromkeys([FlowRepairCompleted, *(event for each in FLOW_TYPES.all() for event in each.emits())])),
)


async def _begin(session: AsyncSession, repair_id: UUID, requested_by: str | None, flow_id: UUID | None) -> None:
    given = {"repair_id": repair_id, "requested_by": requested_by, "flow_id": flow_id}
    await session.execute(insert(RepairRun).values(flows_checked=0, repairs=[], **given).on_conflict_do_nothing())


@service.every(ROUND_SECONDS)
async def look_at_live_flows(runtime: Runtime) -> None:
    """Begin a run for each tenant with flows that have not ended; one at a time, whoever begins it."""
    async with runtime.database.dispatch() as connection:
        tenants = (await connection.execute(_LIVE_TENANTS)).all()
    for row in tenants:
        tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
        async with runtime.database.transaction(tenant) as session:
            await _begin(session, uuid5(NAMESPACE_OID, "the clock"), None, None)


@service.every(PIECE_SECONDS)
async def go_on_with_repairs(runtime: Runtime) -> None:
    """Take the next piece of every run."""
    async with runtime.database.dispatch() as connection:
        runs = (await connection.execute(_RUNS)).all()
    for row in runs:
        tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
        try:
            async with runtime.database.transaction(tenant) as session:
                await _take_piece(session, tenant, row.repair_id, datetime.now(UTC))
        except Exception:
            # A run that cannot go on must not keep those of other tenants waiting.
            log.exception("repair_failed", tenant=str(tenant), repair_id=str(row.repair_id))
    if runs:
        runtime.committed()


async def _take_piece(session: AsyncSession, tenant: Tenant, repair_id: UUID, now: datetime) -> None:
    statement = select(RepairRun).where(RepairRun.repair_id == repair_id).with_for_update(skip_locked=True)
    run = await session.scalar(statement)
    if run is None:
        return
    piece = [run.flow_id] if run.flow_id is not None else []
    if run.flow_id is None:
        live = run.requested_by is None
        piece = await next_flows(session, run.after, live=live, limit=PIECE_FLOWS)
    repairs, events = await repair(session, piece, now, run.requested_by)
    last = run.flow_id is not None or len(piece) < PIECE_FLOWS
    if last:
        begun = await begin_queued(session)
        repairs += [_begun(decision) for decision in begun.decisions]
        events += begun.events
    run.flows_checked += len(piece)
    run.repairs = [*run.repairs, *(each.model_dump(mode="json") for each in repairs)][:NAMED_REPAIRS]
    if not last:
        run.after = piece[-1]
    else:
        if run.repairs or run.requested_by is not None:
            events.append(_completed(run, tenant))
        await session.execute(delete(RepairRun).where(RepairRun.repair_id == repair_id))
        session.expunge(run)
    await add_events(session, service.metadata, events)


def _begun(decision: Decision) -> FlowRepair:
    return FlowRepair(
        flow_id=decision.state.flow_id, code="queued_with_room", found="it queued, and there was room", done="begun"
    )


def _completed(run: RepairRun, tenant: Tenant) -> Event:
    return FlowRepairCompleted(
        tenant=tenant,
        flow_id=run.flow_id,
        # Whoever did not ask for it has no use for the id that all rounds of the clock share.
        repair_id=run.repair_id if run.requested_by is not None else uuid7(),
        flows_checked=run.flows_checked,
        repairs=[FlowRepair.model_validate(each) for each in run.repairs],
    )


async def repair(
    session: AsyncSession, flow_ids: Sequence[UUID], now: datetime, by: str | None
) -> tuple[list[FlowRepair], list[Event]]:
    """Mend what is wrong with these flows: what was found and done, and the events that leave with it.

    All are looked at without a lock; only what looks wrong is locked and looked at again before anything is written.
    """
    suspects = [
        each.flow_id if isinstance(each, Unreadable) else each.rows.state.flow_id
        for each in await read(session, flow_ids)
        if isinstance(each, Unreadable) or mend(each.flow_type, each.rows, now)
    ]
    if not suspects:
        return [], []
    found: list[FlowRepair] = []
    batch = Batch(session, {}, now)
    for each in await read(session, suspects, locked=True):
        if isinstance(each, Unreadable):
            found.append(await _restore(session, batch, each, now, by))
            continue
        mending = mend(each.flow_type, each.rows, now, by)
        if mending is not None:
            found += mending.found
            await _keep(session, batch, mending, now)
    for repaired in found:
        log.warning("flow_repaired", **repaired.model_dump(mode="json"))
    return found, await batch.finish()


async def _keep(session: AsyncSession, batch: Batch, mending: Mending, now: datetime) -> None:
    for decision in mending.decisions:
        batch.keep(decision)
    await write(session, mending.decisions[-1].state, mending.lost, now)


async def _restore(session: AsyncSession, batch: Batch, flow: Unreadable, now: datetime, by: str | None) -> FlowRepair:
    done = "nothing: no checkpoint helps; restore its row from a backup, or deploy the version that it needs"
    if flow.checkpoint is not None:
        state = await store.checkpoint(session, flow.flow_id, flow.checkpoint)
        assert state is not None
        batch.keep(restored(store.flow_type_of(state), state, flow.last, now, by))
        done = f"it goes on from its checkpoint {flow.checkpoint}"
    return FlowRepair(flow_id=flow.flow_id, code=flow.code, found=flow.reason, done=done)
