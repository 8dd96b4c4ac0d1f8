"""Examples of the REST models about the audit log, for the OpenAPI document."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel

from contracts import rest, rest_audit

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
REQUEST = UUID("0197a6a0-0000-7000-8000-000000000090")
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # pragma: allowlist secret
ROOT = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="  # pragma: allowlist secret
ORIGIN = "ai-modernize/audit/6f0c6f0e-58a5-4d0b-9a53-0a8c6f3a1f10/0197a6a0-0000-7000-8000-000000000010"
NOTE = f"{ORIGIN}\n1532\n{ROOT}\ntime 2026-11-20T09:30:00Z\n\n— {ORIGIN} 5Qx0yg…\n"
_ENTRY = rest_audit.AuditEntryView(
    seq=1_207,
    event_id=UUID("0197a6a0-0000-7000-8000-000000000091"),
    event_type="approval.decided",
    happened_at=AT,
    flow_id=UUID("0197a6a0-0000-7000-8000-000000000030"),
    actor="Ada Ortiz",
    hash=SHA256,
    record='{"id":"0197a6a0-0000-7000-8000-000000000091","type":"approval.decided","data":{"decision":"approve"}}',
)
_FOUND = rest_audit.FoundEntries(
    entries=[_ENTRY], next_after=None, proof=rest_audit.InclusionProof(note=NOTE, path=[ROOT])
)
_CHECKPOINT = rest_audit.AuditCheckpointView(
    size=1_532, root_hash=ROOT, key_id="e50c74ca", signed_at=AT, note=NOTE, previous_size=1_490, consistency=[ROOT]
)
_KEY = rest_audit.AuditKeyView(key_id="e50c74ca", public_key=f"{ORIGIN}+e50c74ca+AZ+G0IGITH1lmi/…", made_at=AT)

AUDIT_EXAMPLES: tuple[BaseModel, ...] = (
    rest.AuditVerificationView(
        verification_id=UUID("0197a6a0-0000-7000-8000-000000000050"),
        status="done",
        valid=True,
        entries=1_540,
        head=SHA256,
        detail="All 1540 entries are as they were written.",
        checkpoints=12,
        signed=1_532,
    ),
    rest_audit.AuditVerificationBody(checkpoints=[NOTE]),
    rest_audit.AuditEntriesBody(types=["approval.decided", "login.failed"], since=AT, limit=50),
    _ENTRY,
    _FOUND.proof or _FOUND,
    _FOUND,
    rest_audit.AuditEntriesView(request_id=REQUEST, status="done", found=_FOUND),
    rest_audit.AuditExportView(
        request_id=REQUEST,
        status="done",
        requested_by="Ada Ortiz",
        entries=1_532,
        checkpoints=12,
        size_bytes=208_144,
        sha256=SHA256,
    ),
    rest_audit.AuditRequestView(request_id=REQUEST, status="done"),
    _CHECKPOINT,
    _KEY,
    rest_audit.AuditKeysView(keys=[_KEY]),
)
