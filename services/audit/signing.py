"""Signing a log: what is new of it is checked, joined to the tree, and stated in a checkpoint that extends the last.

What that proves. Against who can write to the database: each edit, insertion, deletion, new order, truncation or
replay of another tenant's entries is found at its place; a rewrite that computes the chain anew, between two
checkpoints. Against who also makes the service sign again, or has keys of his own: by whoever kept a checkpoint and
the public key. Against who has the database, the signing key and every copy of the checkpoints: nothing. Nor does a
checkpoint say anything of entries after it, or of an event that never came.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.audit_log import AuditCheckpointSigned, AuditKeyCreated
from contracts.envelope import Event, Tenant
from services.audit.checking import LogCheck
from services.audit.merkle import KEPT_HEIGHTS, Node, consistency_ranges
from services.audit.notes import Checkpoint, NoteRefused, opened, origin_of, signed
from services.audit.rows_in_order import read_rows
from services.audit.signing_keys import Signer, signer_of, stored, verifier_keys
from services.audit.tables import Head, LogEntry, SignedCheckpoint, TreeNode
from services.audit.tree_rows import LogBroken, proof_of, tree_of
from services.chassis.encryption import Vault
from services.chassis.rows import insert_rows

ADVICE = "Nothing was signed. Find out who can write to the database, and compare with checkpoints kept elsewhere."
_SIGNED = text("""
    update audit.heads set signed_seq = :size, unsigned = unsigned - :covered where signed_seq = :previous
""")


class Overtaken(Exception):
    """Another process signed this log meanwhile: look again."""


@dataclass(frozen=True)
class Statement:
    """A checkpoint that can be stored, with what it takes to extend it and to prove that it extends the one before."""

    tenant: Tenant
    signer: Signer
    checkpoint: Checkpoint
    note: str
    previous_size: int
    consistency: Sequence[str]
    nodes: dict[Node, bytes]
    covered: int


async def prepared(session: AsyncSession, vault: Vault, tenant: Tenant) -> Statement | None:
    """Check what was appended since the last checkpoint and sign the whole; None where nothing was.

    Raises `LogBroken`.
    """
    head = (await session.execute(select(Head.seq, Head.hash, Head.signed_seq))).one()
    tree = await tree_of(session, head.signed_seq)
    await _check_newest(session, tenant, head.signed_seq, tree.root())
    before = await session.scalar(select(LogEntry.hash).where(LogEntry.seq == head.signed_seq))
    check = LogCheck(tenant, tree=tree, head=before)
    await read_rows(session, head.signed_seq, head.seq, check.check)
    found = check.finding(head.seq, head.hash)
    if not found.valid:
        raise LogBroken("audit_log_broken", f"{found.detail} {ADVICE}")
    if head.seq == head.signed_seq:
        return None
    signer = await signer_of(session, vault, tenant)
    checkpoint = Checkpoint(origin_of(tenant), head.seq, check.tree.root(), datetime.now(UTC).replace(microsecond=0))
    news = select(func.count()).where(
        LogEntry.seq > head.signed_seq,
        LogEntry.seq <= head.seq,
        LogEntry.event_type != AuditCheckpointSigned.type_name,
    )
    return Statement(
        tenant,
        signer,
        checkpoint,
        signed(checkpoint, signer.private),
        head.signed_seq,
        await proof_of(session, consistency_ranges(head.signed_seq, head.seq), check.nodes),
        check.nodes,
        (await session.execute(news)).scalar_one(),
    )


async def store(
    session: AsyncSession, vault: Vault, statement: Statement, cause: Event | None = None
) -> list[AuditCheckpointSigned | AuditKeyCreated]:
    """Keep a checkpoint and say so; raises `Overtaken` if it does not follow the newest one any more."""
    size, previous = statement.checkpoint.size, statement.previous_size
    values = {"size": size, "covered": statement.covered, "previous": previous}
    moved = cast(Any, await session.execute(_SIGNED, values))
    if moved.rowcount != 1:
        raise Overtaken(f"the checkpoint after {previous} entries")
    events: list[AuditCheckpointSigned | AuditKeyCreated] = []
    tenant, checkpoint = statement.tenant, statement.checkpoint
    if statement.signer.new:
        events.append(await stored(session, vault, statement.signer, cause, tenant))
    nodes = [
        {"level": height // KEPT_HEIGHTS, "number": number, "hash": value}
        for (height, number), value in statement.nodes.items()
    ]
    if nodes:
        await insert_rows(session, cast(Table, TreeNode.__table__), nodes)
    row = {
        "size": size,
        "root_hash": checkpoint.root,
        "key_id": statement.signer.key.key_id,
        "note": statement.note,
        "previous_size": previous,
        "consistency": list(statement.consistency),
        "signed_at": checkpoint.signed_at,
    }
    await session.execute(insert(SignedCheckpoint).values(row))
    told = {**row, "root_hash": base64.b64encode(checkpoint.root).decode()}
    envelope = {"tenant": tenant, "causation_id": cause.id if cause else None}
    events.append(AuditCheckpointSigned.model_validate({**envelope, **told}))
    return events


async def newest_told(session: AsyncSession, cause: Event) -> AuditCheckpointSigned:
    """The newest checkpoint once more, for who asks when nothing is new."""
    row = (await session.scalars(select(SignedCheckpoint).order_by(SignedCheckpoint.size.desc()).limit(1))).one()
    told = {name: getattr(row, name) for name in AuditCheckpointSigned.data_fields()}
    return AuditCheckpointSigned.reply_to(cause, **{**told, "root_hash": base64.b64encode(row.root_hash).decode()})


async def _check_newest(session: AsyncSession, tenant: Tenant, size: int, root: bytes) -> None:
    """Nothing is signed on top of what was not signed; raises `LogBroken`."""
    row = await session.scalar(select(SignedCheckpoint).order_by(SignedCheckpoint.size.desc()).limit(1))
    if row is None and not size:
        return
    found = f"The newest checkpoint is not of {size} entries, as the log says."
    if row is not None and row.size == size:
        try:
            if opened(row.note, origin_of(tenant), await verifier_keys(session, tenant)).root == root:
                return
            found = f"The first {size} entries are not those that were signed."
        except NoteRefused as refused:
            found = f"The checkpoint of {size} entries is not to be believed: {refused}."
    raise LogBroken("audit_log_broken", f"{found} {ADVICE}")
