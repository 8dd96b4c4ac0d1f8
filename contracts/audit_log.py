"""The audit log: what may be asked of it, and what leaves it so that nobody can change it unseen."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import BlobRef, Event, Problem


class AuditCheckpointRequested(Event, type="audit_checkpoint.requested"):
    """Sign the log as it is now, without waiting for the clock."""

    subject: str
    requested_by: str


class AuditCheckpointSigned(Event, type="audit.checkpoint_signed", public=True):
    """The log was signed up to an entry. Whoever keeps this elsewhere can prove a later change of it."""

    size: int = Field(description="Entries that it covers")
    root_hash: str = Field(description="Root of the RFC 6962 Merkle tree over them, base64")
    signed_at: datetime
    key_id: str
    note: str = Field(description="The signed note, https://c2sp.org/tlog-checkpoint: keep this")
    previous_size: int = Field(description="Of the checkpoint before it; 0 for the first")
    consistency: list[str] = Field(description="Proof that it extends that one (RFC 6962, 2.1.2), base64")


class AuditCheckpointFailed(Event, type="audit_checkpoint.failed"):
    """The log was not signed: it is not as it was written."""

    problem: Problem


class AuditKeyRequested(Event, type="audit_key.requested"):
    """Sign with a new key from now on."""

    subject: str
    requested_by: str


class AuditKeyCreated(Event, type="audit_key.created", public=True):
    """Checkpoints of this tenant's log are signed with another key from now on."""

    key_id: str
    public_key: str = Field(description="In one line, name+id+base64, as note tools read it")
    made_at: datetime


class AuditEntriesRequested(Event, type="audit_entries.requested"):
    """Somebody wants to read entries of the log: a page of those that fit, or one with its proof."""

    subject: str
    requested_by: str
    seq: int | None = Field(default=None, description="Only this entry, with the proof that a checkpoint covers it")
    types: list[str] = Field(default=[], description="Only events of these types")
    of_flow: UUID | None = None
    actor: str | None = Field(default=None, description="Only what this subject, or person by name, did")
    since: datetime | None = None
    until: datetime | None = None
    order: Literal["newest_first", "oldest_first"] = "newest_first"
    after: int | None = Field(default=None, description="Go on after the entry of this number")
    limit: int = 100


class AuditEntriesCompleted(Event, type="audit_entries.completed"):
    """The entries that were asked for."""

    found: BlobRef = Field(description="JSON, `FoundEntries`")
    entries: int


class AuditEntriesFailed(Event, type="audit_entries.failed"):
    """The entries could not be read."""

    problem: Problem


class AuditExportRequested(Event, type="audit_export.requested"):
    """Write the log, as far as it was signed, into one file that proves itself."""

    subject: str
    requested_by: str


class AuditExportCompleted(Event, type="audit_export.completed"):
    """The export is ready."""

    file: BlobRef
    entries: int
    checkpoints: int


class AuditExportFailed(Event, type="audit_export.failed"):
    """There is no export."""

    problem: Problem


class AuditExported(Event, type="audit.exported"):
    """Somebody took an export of the audit log away."""

    subject: str
    exported_by: str
    export_id: UUID
    entries: int
    sha256: str


class ReportExported(Event, type="report.exported"):
    """Somebody took a report, or what was learned, away."""

    subject: str
    exported_by: str
    what: Literal["report", "learnings"]
    of_flow: UUID | None = None
    format: str
