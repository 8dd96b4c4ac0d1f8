"""What the REST interface takes and gives about the audit log."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Problem
from contracts.rest import View

RequestStatus = Literal["running", "done", "failed"]
# Of what a checkpoint or a key takes in its one text form.
NOTE_LENGTH = 16_384


class AuditVerificationBody(View):
    """What the log is held to beside its own checkpoints."""

    checkpoints: list[str] = Field(
        default=[], max_length=100, description="Signed notes that were kept elsewhere; each must be part of the log"
    )


class AuditEntriesBody(View):
    """Which entries of the log to read."""

    seq: int | None = Field(default=None, ge=1, le=2**62, description="One entry, with the proof that it was signed")
    types: list[str] = Field(default=[], max_length=50, examples=[["approval.decided", "login.failed"]])
    flow_id: UUID | None = None
    actor: str | None = Field(default=None, max_length=200, description="What this subject, or person by name, did")
    since: AwareDatetime | None = Field(default=None, description="What happened at this time or later")
    until: AwareDatetime | None = Field(default=None, description="What happened before this time")
    order: Literal["newest_first", "oldest_first"] = "newest_first"
    after: int | None = Field(default=None, ge=1, le=2**62, description="`next_after` of the page before")
    limit: int = Field(default=100, ge=1, le=500)


class AuditEntryView(View):
    """One entry of the log."""

    seq: int
    event_id: UUID
    event_type: str
    happened_at: datetime | None
    flow_id: UUID | None
    actor: str | None
    hash: str = Field(description="SHA-256 over the hash before, the number and the record, hex")
    record: str = Field(description="The event as it was heard: exactly this text was hashed")


class InclusionProof(View):
    """Proof that an entry is part of what was signed (RFC 6962, 2.1.1)."""

    note: str = Field(description="The checkpoint, a signed note")
    path: list[str] = Field(description="Audit path, base64, lowest first; the leaf's data is the entry's hash")


class FoundEntries(View):
    """A page of entries."""

    entries: list[AuditEntryView]
    next_after: int | None = Field(default=None, description="Pass it as `after` for the next page; null on the last")
    proof: InclusionProof | None = Field(default=None, description="Of one entry that a checkpoint covers by now")


class AuditEntriesView(View):
    """A question about the log, and its answer once there is one."""

    request_id: UUID
    status: RequestStatus
    found: FoundEntries | None = None
    problem: Problem | None = None


class AuditExportView(View):
    """An export of the log: GET its `/file` when it is done."""

    request_id: UUID
    status: RequestStatus
    requested_by: str
    entries: int | None = None
    checkpoints: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    problem: Problem | None = None


class AuditRequestView(View):
    """A checkpoint or a key that was asked for."""

    request_id: UUID
    status: RequestStatus
    problem: Problem | None = None


class AuditCheckpointView(View):
    """A tree head of the log that was signed."""

    size: int
    root_hash: str = Field(description="Base64")
    key_id: str
    signed_at: datetime
    note: str = Field(description="The signed note, https://c2sp.org/tlog-checkpoint: keep it elsewhere")
    previous_size: int
    consistency: list[str] = Field(description="Proof that it extends the one before (RFC 6962, 2.1.2), base64")


class AuditKeyView(View):
    """A key that checkpoints are verified with."""

    key_id: str
    public_key: str = Field(description="One line, name+id+base64, as note tools read it")
    made_at: datetime


class AuditKeysView(View):
    """The keys of one log, oldest first."""

    keys: list[AuditKeyView]
