"""Logs for the tests of this folder: written as the service does, signed, and tampered with as their owner."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from contracts.audit_log import AuditCheckpointSigned, AuditExportCompleted, AuditExportRequested, AuditKeyCreated
from contracts.envelope import Envelope, Event, Tenant
from contracts.operations import DeadLetterDropped
from services.audit import export
from services.audit.app import service
from services.audit.checking import Finding
from services.audit.handlers import record
from services.audit.notes import VerifierKey
from services.audit.signing import prepared, store
from services.audit.signing_keys import made, stored, verifier_keys
from services.audit.tables import LogEntry, SignedCheckpoint
from services.audit.verification import checked
from services.chassis.blobs import Blobs
from services.chassis.database import Database
from services.chassis.encryption import Vault
from services.chassis.encryption_keys import key_provider
from services.chassis.migrations import admin_url
from services.chassis.settings import Settings


def some_event(tenant: Tenant, number: int = 0) -> Event:
    return DeadLetterDropped(tenant=tenant, event_id=str(number), queue="q", dropped_by="me")


def heard(*events: Event) -> list[Envelope]:
    """What the consumer makes of events that were sent."""
    return [Envelope.from_cloudevent(event.to_cloudevent()) for event in events]


@dataclass
class ReadingJob:
    """What of a job an export needs: transactions for reading, and the blob store."""

    log: "Log"
    blobs: Blobs
    run: Callable[..., Any] = field(default=asyncio.to_thread)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        async with self.log.database.transaction(self.log.tenant) as session:
            yield session


@dataclass
class Log:
    """One tenant's log in a real database, and the rights of whoever owns that."""

    tenant: Tenant
    settings: Settings
    database: Database
    vault: Vault
    owner: AsyncEngine

    def of(self, tenant: Tenant) -> "Log":
        """The log of another tenant beside it."""
        return Log(tenant, self.settings, self.database, self.vault, self.owner)

    async def hear(self, *events: Event) -> None:
        """Record events in one transaction, as the consumer does with a batch of one tenant."""
        async with self.database.transaction(self.tenant) as session:
            await record(heard(*events), session)

    async def grow(self, count: int) -> None:
        """Record as many events that nothing follows from."""
        await self.hear(*(some_event(self.tenant, number) for number in range(count)))

    async def sign(self) -> AuditCheckpointSigned | None:
        """Sign what is new, as the sweep does."""
        async with self.database.transaction(self.tenant) as session:
            statement = await prepared(session, self.vault, self.tenant)
        if statement is None:
            return None
        async with self.database.transaction(self.tenant) as session:
            events = await store(session, self.vault, statement)
        return next(event for event in events if isinstance(event, AuditCheckpointSigned))

    async def signed(self, *counts: int) -> list[AuditCheckpointSigned]:
        """Grow by these numbers of events, and sign after each."""
        checkpoints = []
        for count in counts:
            await self.grow(count)
            checkpoint = await self.sign()
            assert checkpoint is not None
            checkpoints.append(checkpoint)
        return checkpoints

    async def replace_key(self) -> AuditKeyCreated:
        async with self.database.transaction(self.tenant) as session:
            return await stored(session, self.vault, made(self.tenant), None, self.tenant)

    async def keys(self) -> list[VerifierKey]:
        async with self.database.transaction(self.tenant) as session:
            return await verifier_keys(session, self.tenant)

    async def check(self, *kept: str) -> Finding:
        """What the check of the log in the database finds, given notes that were kept elsewhere."""
        async with self.database.transaction(self.tenant) as session:
            return await checked(session, self.tenant, kept)

    async def tamper(self, *statements: str, **values: Any) -> None:
        """Change the database as its owner; every statement must change something."""
        async with self.owner.begin() as connection:
            await connection.execute(text("set session_replication_role = replica"))
            for statement in statements:
                changed = await connection.execute(text(statement), values)
                assert changed.rowcount > 0, statement

    async def rows(self) -> list[LogEntry]:
        async with self.database.transaction(self.tenant) as session:
            return list(await session.scalars(select(LogEntry).order_by(LogEntry.seq)))

    async def checkpoints(self) -> list[SignedCheckpoint]:
        async with self.database.transaction(self.tenant) as session:
            return list(await session.scalars(select(SignedCheckpoint).order_by(SignedCheckpoint.size)))

    async def export(self, folder: Path) -> Path:
        """The file that an auditor gets."""
        blobs = Blobs(f"file://{folder}", self.vault)
        request = AuditExportRequested(tenant=self.tenant, subject="user:1", requested_by="Ada")
        done = await export.write_export(request, ReadingJob(self, blobs))  # type: ignore[arg-type]  # a part of it
        assert isinstance(done, AuditExportCompleted)
        path = folder / f"{uuid4()}.zip"
        await blobs.fetch(self.tenant, done.file, path)
        return path


@asynccontextmanager
async def a_log(settings: Settings, tenant: Tenant) -> AsyncIterator[Log]:
    """An empty log in a fresh database."""
    database, owner = Database(service.name, settings), create_async_engine(admin_url(settings))
    try:
        yield Log(tenant, settings, database, Vault(key_provider(settings)), owner)
    finally:
        await owner.dispose()
        await database.close()
