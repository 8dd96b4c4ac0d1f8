"""Proofs that the command line checks by itself: of an export, and of one entry."""

from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.terminal import CommandFailed, err

if TYPE_CHECKING:
    from contracts.rest import AuditVerificationView
    from contracts.rest_audit import FoundEntries


def checked_offline(file: Path, keys: list[str], kept: list[str]) -> "AuditVerificationView":
    """What the check of an export finds; raises `CommandFailed` where it cannot be read."""
    from dataclasses import asdict
    from uuid import UUID

    from contracts.rest import AuditVerificationView
    from services.audit.notes import NoteRefused, VerifierKey
    from services.audit.offline import NotAnExport, verified

    try:
        with err.status(f"Checking {file.name} …"):
            found = verified(file, [VerifierKey.parse(line) for line in keys], kept)
    except NoteRefused as refused:
        raise CommandFailed(f"A key cannot be used: {refused}.", code="bad_key") from refused
    except NotAnExport as refused:
        raise CommandFailed(f"This export is NOT intact. {refused}", code="not_an_export") from refused
    return AuditVerificationView.model_validate({"verification_id": UUID(int=0), "status": "done", **asdict(found)})


def text_of(path: Path) -> str:
    """A small text file; raises `CommandFailed`."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{path} cannot be read: {error}.", code="unreadable_file") from error


def proven(found: "FoundEntries") -> str:
    """What the proof of one entry shows; raises `CommandFailed` for a false one."""
    import base64

    from services.audit.merkle import leaf_hash, root_from_inclusion
    from services.audit.notes import stated_size

    if found.proof is None:
        return "No checkpoint covers it yet."
    [entry] = found.entries
    size = stated_size(found.proof.note)
    path = [base64.b64decode(one) for one in found.proof.path]
    root = root_from_inclusion(leaf_hash(bytes.fromhex(entry.hash)), entry.seq - 1, size, path)
    if root is None or base64.b64encode(root).decode() != found.proof.note.splitlines()[2]:
        raise CommandFailed(
            f"The proof of entry {entry.seq} is false. Run `modernize audit verify`.", code="log_broken"
        )
    return f"Proven to be in the checkpoint of {size:,} entries."
