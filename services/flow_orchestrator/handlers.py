"""The orchestrator's shell: lock the flows of a batch, let the engine decide, write everything together."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalRequested, FlowUpdated
from contracts.lifecycle import (
    ApprovalReminded,
    ApprovalWithdrawn,
    ChildFlowEnded,
    FlowControlRefused,
    FlowControlRequested,
    FlowDeleted,
    FlowForkRequested,
)
from contracts.work import WorkCancelled
from services.chassis.service import Service
from services.flow_orchestrator.batch import Batch
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.tables import Tables

service = Service(Tables.metadata)


async def advance(events: list[Event], session: AsyncSession) -> list[Event]:
    """Start the flows that the events ask for, and move those they belong to, in order."""
    flow_ids = {event.flow_id for event in events if event.flow_id is not None}
    batch = await Batch.of(session, flow_ids, datetime.now(UTC))
    for event in events:
        await batch.take(event)
    return await batch.finish()


_ABOUT_ALL: list[type[Event]] = [ApprovalDecided, ChildFlowEnded, FlowControlRequested, FlowForkRequested]
_TOLD_OF_ALL: list[type[Event]] = [
    ApprovalReminded,
    ApprovalRequested,
    ApprovalWithdrawn,
    ChildFlowEnded,
    FlowControlRefused,
    FlowControlRequested,
    FlowDeleted,
    FlowUpdated,
    WorkCancelled,
]

service.subscribe(
    advance,
    hears=list(dict.fromkeys([*_ABOUT_ALL, *(event for each in FLOW_TYPES.all() for event in each.hears())])),
    emits=list(dict.fromkeys([*_TOLD_OF_ALL, *(event for each in FLOW_TYPES.all() for event in each.emits())])),
    batch=True,
)
