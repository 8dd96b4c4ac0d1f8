"""What the routes share: the running service, and a session in the caller's tenant."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agent_memory import AgentMemoryExported, AgentMemoryForgettingRequested
from contracts.agent_tasks import AgentScheduleDeleted, AgentScheduleSaved, AgentTaskCancelled, AgentTaskRequested
from contracts.api_keys import AccessRefused, ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated
from contracts.assessment import AssessmentRequested
from contracts.assets import AssetOriginRequested, AssetSplitRequested, DuplicateDecided
from contracts.audit_log import (
    AuditCheckpointRequested,
    AuditEntriesRequested,
    AuditExported,
    AuditExportRequested,
    AuditKeyRequested,
    ReportExported,
)
from contracts.collection import CollectionRequested
from contracts.configuration import ConfigurationChanged
from contracts.discovery import DiscoveryRequested, ImportUploaded
from contracts.encryption import EncryptionKeyAdded
from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalEdited
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
from contracts.people import (
    IdentityLinked,
    InvitationWithdrawn,
    LoginFailed,
    LoginLocked,
    LoginProviderDeleted,
    LoginProviderSaved,
    LoginSucceeded,
    PasswordChanged,
    PasswordResetMade,
    RefreshTokenReused,
    RoleGranted,
    RoleRevoked,
    SessionRevoked,
    SigningKeyMade,
    SigningKeysRevoked,
    UserDeactivated,
    UserInvited,
    UserJoined,
    UserReactivated,
)
from contracts.planning import PlanningRequested
from contracts.quality import QualityRequested
from contracts.webhooks import WebhookChanged, WebhookDeliveryRequested, WebhookPinged
from contracts.work import WorkCancelled
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.gateway.handlers import service
from services.gateway.principal import Caller

# What requests make the gateway send, beside what its handlers return.
SENT_BY_ROUTES: tuple[type[Event], ...] = (
    AccessRefused,
    AgentMemoryExported,
    AgentMemoryForgettingRequested,
    AgentScheduleDeleted,
    AgentScheduleSaved,
    AgentTaskCancelled,
    AgentTaskRequested,
    ApiKeyCreated,
    ApiKeyRevoked,
    ApiKeyRotated,
    ApprovalDecided,
    ApprovalEdited,
    AssessmentRequested,
    AssetOriginRequested,
    AssetSplitRequested,
    AuditCheckpointRequested,
    AuditEntriesRequested,
    AuditExportRequested,
    AuditExported,
    AuditKeyRequested,
    AuditVerificationRequested,
    CollectionRequested,
    ConfigurationChanged,
    DeadLetterDropped,
    DeadLetterReplayed,
    DiscoveryRequested,
    DuplicateDecided,
    EncryptionKeyAdded,
    FlowControlRequested,
    FlowForkRequested,
    FlowRepairRequested,
    FlowScheduleDeleted,
    FlowScheduleSaved,
    IdentityLinked,
    ImportUploaded,
    InvitationWithdrawn,
    LearningDecided,
    LearningRequested,
    LoginFailed,
    LoginLocked,
    LoginProviderDeleted,
    LoginProviderSaved,
    LoginSucceeded,
    MappingDeleted,
    MappingSourceRenamed,
    ModernizationRequested,
    OwnFieldDeleted,
    OwnFieldSaved,
    PasswordChanged,
    PasswordResetMade,
    PlanningRequested,
    QualityRequested,
    RefreshTokenReused,
    RoleGranted,
    RoleRevoked,
    SessionRevoked,
    SigningKeyMade,
    SigningKeysRevoked,
    ReportExported,
    TenantLimitsSaved,
    UserDeactivated,
    UserInvited,
    UserJoined,
    UserReactivated,
    WebhookChanged,
    WebhookDeliveryRequested,
    WebhookPinged,
    WorkCancelled,
)


async def running(request: Request) -> Runtime:
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
