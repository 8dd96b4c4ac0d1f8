"""What the routes share: the running service, and a session in the caller's tenant."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.assessment import AssessmentRequested
from contracts.assets import AssetOriginRequested, AssetSplitRequested, DuplicateDecided
from contracts.collection import CollectionRequested
from contracts.discovery import DiscoveryRequested, ImportUploaded
from contracts.envelope import Event
from contracts.flows import ApprovalDecided
from contracts.learning import (
    LearningDecided,
    LearningRequested,
    MappingDeleted,
    MappingSourceRenamed,
    OwnFieldDeleted,
    OwnFieldSaved,
)
from contracts.lifecycle import (
    FlowControlRequested,
    FlowForkRequested,
    FlowRepairRequested,
    FlowScheduleDeleted,
    FlowScheduleSaved,
    TenantLimitsSaved,
)
from contracts.modernization import ModernizationRequested
from contracts.operations import AuditVerificationRequested, DeadLetterDropped, DeadLetterReplayed
from contracts.planning import PlanningRequested
from contracts.quality import QualityRequested
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.gateway.handlers import service
from services.gateway.keys import Caller

# What requests make the gateway send, beside what its handlers return.
SENT_BY_ROUTES: tuple[type[Event], ...] = (
    ApprovalDecided,
    AssessmentRequested,
    AssetOriginRequested,
    AssetSplitRequested,
    AuditVerificationRequested,
    CollectionRequested,
    DeadLetterDropped,
    DeadLetterReplayed,
    DiscoveryRequested,
    DuplicateDecided,
    FlowControlRequested,
    FlowForkRequested,
    FlowRepairRequested,
    FlowScheduleDeleted,
    FlowScheduleSaved,
    ImportUploaded,
    LearningDecided,
    LearningRequested,
    MappingDeleted,
    MappingSourceRenamed,
    ModernizationRequested,
    OwnFieldDeleted,
    OwnFieldSaved,
    PlanningRequested,
    QualityRequested,
    TenantLimitsSaved,
)


def running(request: Request) -> Runtime:
    """The runtime that this gateway belongs to."""
    runtime: Runtime = request.app.state.runtime
    return runtime


Gateway = Annotated[Runtime, Depends(running)]


async def read_session(caller: Caller, gateway: Gateway) -> AsyncIterator[AsyncSession]:
    """A transaction in the caller's tenant, for reading."""
    async with gateway.database.transaction(caller.tenant) as session:
        yield session


Reading = Annotated[AsyncSession, Depends(read_session)]


async def emit(session: AsyncSession, *events: Event) -> None:
    """Send events of `SENT_BY_ROUTES` with this transaction."""
    for event in events:
        if not isinstance(event, SENT_BY_ROUTES):
            raise TypeError(
                f"{event.type_name} is not declared in SENT_BY_ROUTES, so asyncapi.yaml would not tell of it"
            )
    await add_events(session, service.metadata, events)
