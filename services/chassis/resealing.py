"""Key rotation while the platform runs: values that an older root key sealed are sealed anew, piece by piece.

A row tells itself which version sealed it. So there is no list of what is done: whoever was killed, or runs beside
another, takes what is left, and a piece that was not committed was not done.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Column, ColumnElement, LargeBinary, Select, Table, and_, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.encryption import EncryptionProgressed, StillNeeded
from contracts.envelope import PLATFORM, Tenant
from services.chassis.encryption import VERSION_FROM, Vault
from services.chassis.outbox import add_events
from services.chassis.sealed_rows import indexes_anew
from services.chassis.tables import Peppered, Sealed, context_columns, sealed_columns

if TYPE_CHECKING:
    from services.chassis.runtime import Runtime

log = structlog.get_logger()

LOOK_SECONDS = 5.0
PIECE_ROWS = 500
# A process that does not know the new version yet seals with the old one; by then every one has looked.
SETTLED_SECONDS = 4 * LOOK_SECONDS
# Later, only events that come late can bring values that an older version sealed.
RARELY_SECONDS = 600.0


class Resealing:
    """Keeps what a service has sealed under the newest root key."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._version = 0
        self._since = 0.0
        self._next = 0.0
        self._total = self._left = 0
        self._needed: list[StillNeeded] = []
        self._told: tuple[int, int, int, list[StillNeeded]] | None = None

    async def look(self) -> None:
        """Learn of new versions, and seal anew what older ones sealed. Nothing to do costs a look at the keys alone."""
        vault = self._runtime.vault
        await asyncio.to_thread(vault.load)
        if len(vault.versions()) < 2:
            return
        now = time.monotonic()
        if vault.version != self._version:
            self._version, self._since = vault.version, now
        elif now < self._next:
            return
        self._next = now if now - self._since < SETTLED_SECONDS else now + RARELY_SECONDS
        await self._tell()
        for table in self._runtime.service.metadata.sorted_tables:
            for column, sealed in sealed_columns(table):
                await self._reseal(table, column, sealed)
        await self._tell()

    async def _reseal(self, table: Table, column: Column[bytes], sealed: Sealed) -> None:
        owners = select(table.c.client_account_id, table.c.engagement_id).where(older(column, self._runtime.vault))
        async with self._runtime.database.dispatch() as connection:
            rows = (await connection.execute(owners.distinct())).all()
        for row in rows:
            tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
            try:
                await self._reseal_all(tenant, table, column, sealed)
            except Exception:
                # A value that does not open must not keep the others under the old key.
                log.exception("reseal_failed", table=table.name, column=column.name, tenant=str(tenant))

    async def _reseal_all(self, tenant: Tenant, table: Table, column: Column[bytes], sealed: Sealed) -> None:
        rows = PIECE_ROWS
        while rows == PIECE_ROWS:
            async with self._runtime.database.transaction(tenant) as session:
                rows = await reseal_piece(session, self._runtime.vault, tenant, table, column, sealed)
            self._left = max(0, self._left - rows)
            await self._say()

    async def _tell(self) -> None:
        """Count what there is, and tell how far it is."""
        versions, peppers, total = Counter[tuple[int, str]](), Counter[tuple[int, str]](), 0
        newest = self._runtime.vault.version
        async with self._runtime.database.dispatch() as connection:
            for table in self._runtime.service.metadata.sorted_tables:
                for column, _ in sealed_columns(table):
                    for sealed_with, count in await connection.execute(_by_version(table, column)):
                        total += count
                        versions[int.from_bytes(sealed_with, "big"), f"values of {table.name}"] += count
                if peppered := table.info.get("peppered"):
                    for version, count in await connection.execute(_by_pepper(table, peppered)):
                        peppers[version, peppered.what] += count
        known = set(self._runtime.vault.versions()) - {newest}
        self._total, self._left = total, sum(n for (version, _), n in versions.items() if version in known)
        self._needed = [
            StillNeeded(version=version, what=what, count=n)
            for (version, what), n in sorted((versions + peppers).items())
            if version in known
        ]
        await self._say()

    async def _say(self) -> None:
        """Tell how far it is, if that has changed since it was told last."""
        progress = (self._version, self._total, self._left, self._needed)
        if progress == self._told:
            return
        told = EncryptionProgressed(
            tenant=PLATFORM,
            service=self._runtime.service.name,
            version=self._version,
            sealed=self._total,
            left=self._left,
            needed=self._needed,
        )
        async with self._runtime.database.transaction(PLATFORM) as session:
            await add_events(session, self._runtime.service.metadata, [told])
        self._runtime.committed()
        self._told = progress


async def reseal_piece(
    session: AsyncSession, vault: Vault, tenant: Tenant, table: Table, column: Column[bytes], sealed: Sealed
) -> int:
    """Seal some of a tenant's values anew with the newest version; how many: fewer than a piece are the last."""
    key, parts = list(table.primary_key), context_columns(table, sealed)
    chosen = (
        select(*key, *(part.label(f"context_{part.name}") for part in parts), column.label("sealed"))
        .where(older(column, vault))
        .order_by(*key)
        .limit(PIECE_ROWS)
        .with_for_update(skip_locked=True)
    )
    rows: Sequence[Any] = (await session.execute(chosen)).all()
    if not rows:
        return 0
    contexts = [" ".join(str(getattr(row, f"context_{part.name}")) for part in parts) for row in rows]
    opened = vault.open_many(tenant, sealed.purpose, contexts, [row.sealed for row in rows])
    anew = vault.seal_many(tenant, sealed.purpose, contexts, opened)
    indexes = indexes_anew(vault, tenant, table, opened)
    for row, value, index in zip(rows, anew, indexes, strict=True):
        own = and_(*(part == getattr(row, part.name) for part in key))
        await session.execute(update(table).where(own).values({column.name: value, **index}))
    return len(rows)


def older(column: Column[bytes], vault: Vault) -> ColumnElement[bool]:
    """Whether a version before the newest sealed it; one that this process does not know yet is newer, not older."""
    before = [version.to_bytes(4, "big") for version in vault.versions()[:-1]]
    return func.substring(column, VERSION_FROM, 4, type_=LargeBinary).in_(before)


def _by_version(table: Table, column: Column[bytes]) -> Select[bytes, int]:
    """How many values each version sealed; of the version its four bytes."""
    version = func.substring(column, VERSION_FROM, 4, type_=LargeBinary)
    return select(version, func.count()).where(column.is_not(None)).group_by(version)


def _by_pepper(table: Table, peppered: Peppered) -> Select[int, int]:
    """How many digests that count each version has made."""
    column = table.c[peppered.column]
    # nosemgrep: raw-sql - a constant of ours
    return select(column, func.count()).where(text(peppered.where)).group_by(column)
