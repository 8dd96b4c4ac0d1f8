"""A new export of an estate that is known: what is loaded before it is merged, and what it changes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import ARRAY, Table, Uuid, any_, exists, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from contracts.catalog import CATALOG
from contracts.discovery import InventoryChanges
from services.chassis.frame_selection import select_frame
from services.chassis.sealed_rows import opened_frame, vault_of
from services.chassis.tenancy import tenant_of
from services.field_mapping.asset_changes import Compared, compare, is_same_estate, sources_of, vanished
from services.field_mapping.known_machines import KNOWN_FIELDS
from services.field_mapping.merging import Known
from services.field_mapping.tables import Asset, IdentityDecision

# Assets that are looked for at a time: few enough for one statement.
_AT_A_TIME = 10_000


@dataclass(frozen=True)
class Changes:
    """What an import changes: the figures, the list (`ASSET_CHANGES`), and the assets that are gone."""

    counts: InventoryChanges
    listed: pl.DataFrame
    vanished: list[UUID]


async def known_machines(session: AsyncSession) -> Known | None:
    """What tells the engagement's machines apart, and what people decided of them; None before the first import."""
    if not (await session.execute(select(exists().select_from(Asset)))).scalar():
        return None
    assets = await _assets(session, ("asset_uid", *KNOWN_FIELDS))
    decisions = await select_frame(session, _table(IdentityDecision), ("asset_uid", "other_uid", "same"))
    return Known(assets, decisions)


class Comparison:
    """What the assets of an import change, found before they are stored, some at a time."""

    def __init__(self, session: AsyncSession, known: Known) -> None:
        self._session, self._known = session, known
        self._sources: set[str] = set()
        self._seen: list[pl.Series] = []
        self._parts: list[Compared] = []

    async def add(self, assets: pl.DataFrame) -> None:
        """Compare some assets, as they will be stored, with what is stored of them."""
        self._sources |= sources_of(assets["source_rows"])
        self._seen.append(assets["asset_uid"])
        before = await self._stored(
            assets["asset_uid"], ("asset_uid", "name", "source_rows", "vanished_from", *CATALOG)
        )
        self._parts.append(compare(before, assets))

    async def changes(self) -> Changes:
        """What all assets change."""
        seen = pl.concat(self._seen)
        missing = self._known.assets.filter(~pl.col("asset_uid").is_in(seen.implode()))["asset_uid"]
        gone = []
        for start in range(0, missing.len(), _AT_A_TIME):
            columns = ("asset_uid", "name", "source_rows", "vanished_from")
            gone.append(vanished(await self._stored(missing.slice(start, _AT_A_TIME), columns), self._sources))
        missed = [UUID(uid) for part in gone for uid in part["asset_uid"]]
        listed = pl.concat(part.changes for part in self._parts)
        unrelated = not is_same_estate(sum(part.found_again for part in self._parts), len(missed))
        if unrelated:
            missed = []
        else:
            listed = pl.concat([listed, *gone])
        counted = dict(listed.group_by("change").agg(pl.col("asset_uid").n_unique()).iter_rows())
        touched = listed.filter(pl.col("change") != "vanished")["asset_uid"].n_unique()
        counts = InventoryChanges(
            **{change: counted.get(change, 0) for change in ("appeared", "returned", "changed", "vanished")},
            unchanged=seen.len() - touched,
            unrelated_files=unrelated,
        )
        return Changes(counts, listed, missed)

    async def _stored(self, uids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        wanted = [UUID(uid) for uid in uids]
        return await _assets(self._session, columns, "asset_uid = any($1::uuid[])", wanted)


async def _assets(session: AsyncSession, columns: Sequence[str], where: str = "true", *arguments: Any) -> pl.DataFrame:
    """Assets as they are, whether they are stored sealed or not."""
    frame = await select_frame(session, _table(Asset), (*columns, "sealed"), where, *arguments)
    if not frame["sealed"].count():
        return frame.drop("sealed")
    return await asyncio.to_thread(opened_frame, vault_of(session), await tenant_of(session), _table(Asset), frame)


async def mark_vanished(session: AsyncSession, changes: Changes, flow_id: UUID | None) -> None:
    """Keep what is gone, and say which import no longer had it."""
    if changes.vanished:
        # One array: a statement cannot have a parameter for each of many.
        gone = update(Asset).where(Asset.asset_uid == any_(literal(changes.vanished, ARRAY(Uuid))))
        await session.execute(gone.values(vanished_from=flow_id))


def _table(mapped: type[DeclarativeBase]) -> Table:
    assert isinstance(mapped.__table__, Table)
    return mapped.__table__
