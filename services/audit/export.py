"""An export: the whole log in one ZIP file, with its checkpoints and the keys that they are verified with."""

import asyncio
import zipfile
from collections.abc import AsyncGenerator
from typing import IO, cast

import orjson
from sqlalchemy import func, select

from contracts.audit_log import AuditExportCompleted, AuditExportFailed, AuditExportRequested
from contracts.envelope import Tenant
from services.audit.handlers import service
from services.audit.offline import CHECKPOINTS, ENTRIES, KEYS, LOG, NEWEST, README, README_TEXT
from services.audit.signing_keys import verifier_keys
from services.audit.tables import LogEntry, SignedCheckpoint
from services.chassis.errors import Conflict
from services.chassis.work import Job

KIND = "audit_export"
PIECE_ROWS = 200


@service.work
async def write_export(event: AuditExportRequested, job: Job) -> AuditExportCompleted | AuditExportFailed:
    """Write what the newest checkpoint covers."""
    async with job.reading() as session:
        counted = select(func.max(SignedCheckpoint.size), func.count()).select_from(SignedCheckpoint)
        size, checkpoints = (await session.execute(counted)).one()
    if size is None:
        raise Conflict("audit_log_not_signed", "Nothing of this log was signed yet. Ask for a checkpoint first.")
    file = await job.blobs.put_stream(event.tenant, KIND, _zipped(event.tenant, size, job), "application/zip")
    return AuditExportCompleted.reply_to(event, file=file, entries=size, checkpoints=checkpoints)


class _Sink:
    """What a ZIP file is written into piece by piece; it cannot be rewound, and nothing is kept of it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        """What was written since it was asked last."""
        data = b"".join(self._written)
        self._written.clear()
        return data


async def _zipped(tenant: Tenant, size: int, job: Job) -> AsyncGenerator[bytes, None]:
    sink = _Sink()
    with zipfile.ZipFile(cast(IO[bytes], sink), "w", zipfile.ZIP_DEFLATED) as archive:
        async with job.reading() as session:
            keys = await verifier_keys(session, tenant)
            log = {"format": 1, "entries": size, **tenant.model_dump(mode="json")}
            archive.writestr(LOG, orjson.dumps(log, option=orjson.OPT_INDENT_2))
            archive.writestr(KEYS, "".join(f"{key.text}\n" for key in keys))
            archive.writestr(README, README_TEXT)
            notes = select(SignedCheckpoint).where(SignedCheckpoint.size <= size).order_by(SignedCheckpoint.size)
            newest = ""
            with archive.open(CHECKPOINTS, "w") as lines:
                rows = await session.stream_scalars(notes.execution_options(yield_per=PIECE_ROWS))
                async for piece in rows.partitions(PIECE_ROWS):
                    newest = piece[-1].note
                    told = ({name: getattr(row, name) for name in ("size", "previous_size", "note")} for row in piece)
                    await asyncio.to_thread(lines.write, b"".join(orjson.dumps(one) + b"\n" for one in told))
                    yield sink.taken()
            archive.writestr(NEWEST, newest)
            entries = select(LogEntry.seq, LogEntry.hash, LogEntry.record).where(LogEntry.seq <= size)
            with archive.open(ENTRIES, "w", force_zip64=True) as lines:
                found = await session.stream(entries.order_by(LogEntry.seq).execution_options(yield_per=PIECE_ROWS))
                async for part in found.partitions(PIECE_ROWS):
                    text = b"".join(orjson.dumps(dict(row._mapping)) + b"\n" for row in part)
                    await asyncio.to_thread(lines.write, text)
                    yield sink.taken()
    yield sink.taken()
