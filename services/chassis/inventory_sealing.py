"""Sealing what is stored of an engagement's host names when it asks for that, and opening it again when it does not.

A row tells itself whether it is sealed. So there is no list of what is done: whoever was killed, or runs beside
another, takes what is left. What a transaction wrote that did not know of the change yet is found by a later look.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, false, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.configuration import SEALED_INVENTORY
from contracts.envelope import Tenant
from contracts.inventory_sealing import InventorySealingProgressed, without_values
from services.chassis.configuration import configured
from services.chassis.outbox import add_events
from services.chassis.sealed_rows import FOUND_BY, SEALED, opened_rows, sealed_rows, sealing_of, whole_row
from services.chassis.tables import ServiceMetaData

if TYPE_CHECKING:
    from services.chassis.runtime import Runtime

log = structlog.get_logger()

PIECE_ROWS = 1_000
# Work that began before the change may still write as it was configured then; by this time it has ended.
SETTLED_SECONDS = 60.0
RARELY_SECONDS = 600.0
TELL_SECONDS = 1.0


@dataclass
class _Client:
    """What is known of a client account whose settings say something: their versions, and when to look again."""

    version: int
    since: float
    next_look: float = 0.0


async def is_sealed(session: AsyncSession, metadata: ServiceMetaData, tenant: Tenant) -> bool:
    """Whether what is written of a tenant's inventory is to be sealed; leaves the session in the tenant."""
    return await configured(session, metadata, tenant, SEALED_INVENTORY)


def sealable_tables(metadata: ServiceMetaData) -> list[Table]:
    """The tables whose rows can be sealed."""
    return [table for table in metadata.sorted_tables if sealing_of(table) is not None]


def withholding_tables(metadata: ServiceMetaData) -> list[Table]:
    """The tables with JSON documents that are to quote nothing of a sealed inventory: `info["withheld"]`."""
    return [table for table in metadata.sorted_tables if "withheld" in table.info]


def unkept_tables(metadata: ServiceMetaData) -> list[Table]:
    """The tables whose rows may quote an inventory and are not kept of a sealed one: `info["unkept"]`."""
    return [table for table in metadata.sorted_tables if "unkept" in table.info]


class InventorySealing:
    """Keeps what a service stores of inventories sealed for those tenants that want it, and for no others."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._metadata = runtime.service.metadata
        self._tables = sealable_tables(self._metadata)
        self._documents = withholding_tables(self._metadata)
        self._unkept = unkept_tables(self._metadata)
        self._clients: dict[Any, _Client] = {}
        self._quiet: dict[Tenant, int] = {}
        self._told: dict[Tenant, tuple[int, bool, int, int]] = {}
        self._told_at = 0.0

    async def look(self) -> None:
        """Seal and open what is not as its tenant wants it. Where nobody ever asked, this is one look at a table."""
        if not self._tables and not self._documents and not self._unkept:
            return
        table = self._metadata.configuration
        versions: dict[Any, dict[Any, int]] = {}
        columns = (table.c.client_account_id, table.c.engagement_id, table.c.version)
        async with self._runtime.database.dispatch() as connection:
            statement = select(*columns).where(table.c.key == SEALED_INVENTORY.name)
            for client, engagement, version in await connection.execute(statement):
                versions.setdefault(client, {})[engagement] = version
        now = time.monotonic()
        for client, known in versions.items():
            version = sum(known.values())
            seen = self._clients.get(client)
            if seen is None or seen.version != version:
                seen = self._clients[client] = _Client(version, now)
            if now < seen.next_look:
                continue
            seen.next_look = now if now - seen.since < SETTLED_SECONDS else now + RARELY_SECONDS
            for tenant in await self._engagements(client, known):
                try:
                    await self._settle(tenant, version)
                except Exception:
                    # A row that does not open must not keep other tenants' rows as they are.
                    log.exception("inventory_not_sealed", tenant=str(tenant))

    async def _engagements(self, client: Any, known: dict[Any, int]) -> list[Tenant]:
        found = {engagement for engagement in known if engagement.int}
        async with self._runtime.database.dispatch() as connection:
            for table in (*self._tables, *self._documents, *self._unkept):
                statement = select(table.c.engagement_id).where(table.c.client_account_id == client).distinct()
                found.update((await connection.execute(statement)).scalars())
        return [Tenant(client_account_id=client, engagement_id=each) for each in sorted(found)]

    async def _settle(self, tenant: Tenant, version: int) -> None:
        async with self._runtime.database.transaction(tenant) as session:
            wanted = await is_sealed(session, self._metadata, tenant)
        for table in self._tables:
            while await self._piece(tenant, table, wanted=wanted):
                if time.monotonic() - self._told_at > TELL_SECONDS:
                    await self._tell(tenant, version, wanted=wanted)
        if wanted and self._quiet.get(tenant) != version:
            for table in self._documents:
                await self._withhold(tenant, table)
            for table in self._unkept:
                async with self._runtime.database.transaction(tenant) as session:
                    await session.execute(delete(table))
            if time.monotonic() - self._since(tenant) > SETTLED_SECONDS:
                self._quiet[tenant] = version
        await self._tell(tenant, version, wanted=wanted)

    def _since(self, tenant: Tenant) -> float:
        return self._clients[tenant.client_account_id].since

    async def _piece(self, tenant: Tenant, table: Table, *, wanted: bool) -> bool:
        """Seal or open some rows; whether there may be more."""
        async with self._runtime.database.transaction(tenant) as session:
            return await settle_piece(session, self._runtime, tenant, table, wanted=wanted)

    async def _withhold(self, tenant: Tenant, table: Table) -> None:
        """Take out of all documents of a table what they quote of the inventory."""
        last: Sequence[Any] | None = None
        while True:
            async with self._runtime.database.transaction(tenant) as session:
                last = await withhold_piece(session, table, last)
            if last is None:
                return

    async def _tell(self, tenant: Tenant, version: int, *, wanted: bool) -> None:
        """Tell how far it is, if that has changed since it was told last."""
        rows = left = 0
        async with self._runtime.database.transaction(tenant) as session:
            for table in self._tables:
                wrong = func.count().filter(_wrong(table, wanted=wanted))
                counted = select(func.count(), wrong).select_from(table).where(_eligible(table))
                total, amiss = (await session.execute(counted)).one()
                rows, left = rows + total, left + amiss
            progress = (version, wanted, rows, left)
            self._told_at = time.monotonic()
            if self._told.get(tenant) == progress:
                return
            told = InventorySealingProgressed(
                tenant=tenant,
                service=self._runtime.service.name,
                version=version,
                sealed=wanted,
                rows=rows,
                left=left,
            )
            await add_events(session, self._metadata, [told])
        self._runtime.committed()
        self._told[tenant] = progress


def _eligible(table: Table) -> ColumnElement[bool]:
    how = sealing_of(table)
    assert how is not None
    eligible: ColumnElement[bool] = table.c[SEALED].is_not(None)
    return or_(eligible, table.c[how.only] if how.only else ~false())


def _wrong(table: Table, *, wanted: bool) -> ColumnElement[bool]:
    """The rows that are not as their tenant wants them."""
    if not wanted:
        return table.c[SEALED].is_not(None)
    return and_(table.c[SEALED].is_(None), _eligible(table))


async def settle_piece(
    session: AsyncSession, runtime: "Runtime", tenant: Tenant, table: Table, *, wanted: bool
) -> bool:
    """Seal, or open, some of a tenant's rows; whether there may be more."""
    how = sealing_of(table)
    assert how is not None
    key = list(table.primary_key)
    statement = select(table).where(_wrong(table, wanted=wanted)).order_by(*key).limit(PIECE_ROWS)
    rows = [dict(row) for row in (await session.execute(statement.with_for_update(skip_locked=True))).mappings()]
    if not rows:
        return False
    changed = [*how.columns, *how.members, SEALED, *([FOUND_BY] if how.finds else [])]
    if wanted:
        after = sealed_rows(runtime.vault, tenant, table, rows)
    else:
        pairs = [(row, row[SEALED]) for row in rows]
        secrets = opened_rows(runtime.vault, tenant, table, pairs)
        nothing = dict.fromkeys((SEALED, FOUND_BY))
        after = [{**nothing, **whole_row(how, row, secret)} for row, secret in zip(rows, secrets, strict=True)]
    own = and_(*(column == bindparam(f"key_{column.name}") for column in key))
    statement_of_one = update(table).where(own).values({name: bindparam(f"new_{name}") for name in changed})
    values = [
        {**{f"key_{c.name}": row[c.name] for c in key}, **{f"new_{name}": row.get(name) for name in changed}}
        for row in after
    ]
    await (await session.connection()).execute(statement_of_one, values)
    return len(rows) == PIECE_ROWS


async def withhold_piece(session: AsyncSession, table: Table, after: Sequence[Any] | None) -> Sequence[Any] | None:
    """Take out of some documents, those after a key, what they quote of the inventory; the last key, None at the end.

    Whoever changes such a row meanwhile waits for this, or this for him.
    """
    key, columns = list(table.primary_key), [table.c[name] for name in table.info["withheld"]]
    statement = select(*key, *columns).order_by(*key).limit(PIECE_ROWS).with_for_update()
    if after is not None:
        statement = statement.where(tuple_(*key) > tuple_(*after, types=[column.type for column in key]))
    rows = (await session.execute(statement)).mappings().all()
    for row in rows:
        quiet = {column.name: without_values(row[column.name]) for column in columns}
        new = {name: value for name, value in quiet.items() if value != row[name]}
        if new:
            own = and_(*(column == row[column.name] for column in key))
            await session.execute(update(table).where(own).values(new))
    return [rows[-1][column.name] for column in key] if len(rows) == PIECE_ROWS else None
