"""What operators and auditors ask for and hear: dead letters and proof of the log."""

from typing import Any
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event


class EventDeadLettered(Event, type="event.dead_lettered"):
    """A service could not handle an event, or refused it; nothing of it took effect."""

    service: str
    queue: str
    event_id: str
    event_type: str
    attempts: int
    code: str
    reason: str
    trace: str | None = Field(default=None, description="The exception's trace, where it was a bug")
    message: dict[str, Any] = Field(description="The CloudEvent as it came")


class DeadLetterReplayed(Event, type="dead_letter.replayed"):
    """An operator sent a dead letter to its queue again."""

    event_id: str
    queue: str
    replayed_by: str


class DeadLetterDropped(Event, type="dead_letter.dropped"):
    """An operator gave a dead letter up."""

    event_id: str
    queue: str
    dropped_by: str


class AuditVerificationRequested(Event, type="audit_verification.requested"):
    """Check the audit log of this tenant from its first entry."""

    verification_id: UUID
    subject: str | None = None
    requested_by: str | None = None
    checkpoints: list[str] = Field(default=[], description="Signed notes that were kept elsewhere")


class AuditVerificationCompleted(Event, type="audit_verification.completed"):
    """What the check of the audit log found."""

    verification_id: UUID
    valid: bool
    entries: int
    head: str = Field(description="Hash of the newest entry, hex")
    broken_at: int | None = Field(default=None, description="Sequence number of the first entry that does not fit")
    detail: str
    checkpoints: int | None = Field(default=None, description="Signed checkpoints that agree with the log")
    signed: int | None = Field(default=None, description="Entries that the newest of them covers")
