"""A new export of an estate that is known: what is loaded before it is merged, and what it changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import polars as pl
from sqlalchemy import ARRAY, Table, Uuid, any_, exists, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from contracts.catalog import CATALOG
from contracts.discovery import InventoryChanges
from services.chassis.frame_selection import select_frame
from services.field_mapping.asset_changes import compare, is_same_estate, sources_of
from services.field_mapping.known_machines import KNOWN_FIELDS
from services.field_mapping.merging import Known
from services.field_mapping.tables import Asset, IdentityDecision

# Assets that are compared at a time: few enough to hold all their fields twice.
_AT_A_TIME = 20_000
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)


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
    assets = await select_frame(session, _table(Asset), ("asset_uid", *KNOWN_FIELDS))
    decisions = await select_frame(session, _table(IdentityDecision), ("asset_uid", "other_uid", "same"))
    return Known(assets, decisions)


async def find_changes(session: AsyncSession, assets: pl.DataFrame) -> Changes:
    """What the assets of an import change, before they are stored."""
    sources = sources_of(assets["source_rows"])
    columns = ("asset_uid", "name", "source_rows", "vanished_from", *CATALOG)
    parts = []
    for low, high, after in _ranges(assets):
        before = await select_frame(session, _table(Asset), columns, "asset_uid >= $1 and asset_uid < $2", low, high)
        parts.append(compare(before, after, sources))
    vanished = [UUID(uid) for part in parts for uid in part.vanished]
    unrelated = not is_same_estate(sum(part.found_again for part in parts), len(vanished))
    listed = pl.concat(part.changes for part in parts)
    if unrelated:
        listed, vanished = listed.filter(pl.col("change") != "vanished"), []
    counted = dict(listed.group_by("change").agg(pl.col("asset_uid").n_unique()).iter_rows())
    touched = listed.filter(pl.col("change") != "vanished")["asset_uid"].n_unique()
    counts = InventoryChanges(
        **{change: counted.get(change, 0) for change in ("appeared", "returned", "changed", "vanished")},
        unchanged=assets.height - touched,
        unrelated_files=unrelated,
    )
    return Changes(counts, listed, vanished)


async def mark_vanished(session: AsyncSession, changes: Changes, flow_id: UUID | None) -> None:
    """Keep what is gone, and say which import no longer had it."""
    if changes.vanished:
        # One array: a statement cannot have a parameter for each of many.
        gone = update(Asset).where(Asset.asset_uid == any_(literal(changes.vanished, ARRAY(Uuid))))
        await session.execute(gone.values(vanished_from=flow_id))


def _ranges(assets: pl.DataFrame) -> Iterator[tuple[UUID, UUID, pl.DataFrame]]:
    """The assets in the order of their uids, piece by piece, with the bounds of each piece; together they hold all."""
    ordered = assets.sort("asset_uid")
    low = _FIRST
    for start in range(0, max(ordered.height, 1), _AT_A_TIME):
        rest = ordered.height - start
        high = UUID(ordered["asset_uid"][start + _AT_A_TIME]) if rest > _AT_A_TIME else _LAST
        yield low, high, ordered.slice(start, _AT_A_TIME)
        low = high


def _table(mapped: type[DeclarativeBase]) -> Table:
    assert isinstance(mapped.__table__, Table)
    return mapped.__table__
