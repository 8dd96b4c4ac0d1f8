"""An asset that was merged of two machines becomes two again."""

from collections.abc import Sequence
from uuid import UUID, uuid5

import polars as pl

from contracts.claim_checks import ASSETS, ROW_NUMBER
from services.field_mapping.identity import SOURCE
from services.field_mapping.inventory import laid_out
from services.field_mapping.merging import merge_groups, named
from services.field_mapping.normalise import SourceTable
from services.field_mapping.origin import one_group, read_again
from services.field_mapping.technology_columns import with_technologies


class SplitRefused(ValueError):
    """These rows cannot be taken out of the asset; the message says why."""


def other_uid(asset_uid: UUID, apart: Sequence[str]) -> UUID:
    """The uid of the machine that these rows are; asked twice, it is the same."""
    return uuid5(asset_uid, "; ".join(sorted(apart)))


def split_asset(tables: Sequence[SourceTable], asset_uid: UUID, source_rows: str, apart: Sequence[str]) -> pl.DataFrame:
    """Both assets in the layout of the claim check, the one that keeps its uid first.

    Raises `SplitRefused` when rows are not the asset's, or when none is left.
    """
    strangers = set(apart) - set(source_rows.split("; "))
    if strangers:
        raise SplitRefused(f"{sorted(strangers)[0]!r} is not among the rows of this asset: {source_rows}.")
    rows = read_again(tables, source_rows)
    taken = rows[SOURCE].is_in(list(apart))
    rows = _with_joined(rows, source_rows)
    parts = [rows.filter(~taken), rows.filter(taken)]
    if any(part.is_empty() for part in parts):
        raise SplitRefused("Each of the two machines needs at least one row. Leave one of the rows with this asset.")
    uids = [asset_uid, other_uid(asset_uid, apart)]
    assets = [
        merge_groups(part, one_group(part.height)).with_columns(asset_uid=pl.lit(str(uid)))
        for part, uid in zip(parts, uids, strict=True)
    ]
    return laid_out(with_technologies(named(pl.concat(assets, how="diagonal"))).drop(ROW_NUMBER), ASSETS)


def _with_joined(rows: pl.DataFrame, source_rows: str) -> pl.DataFrame:
    """Each row with the places of the rows of other sheets that were joined to it, which follow its own."""
    places: dict[str, list[str]] = {place: [] for place in rows[SOURCE]}
    joined: list[str] = []
    for place in source_rows.split("; "):
        joined = places.get(place, joined)
        joined.append(place)
    return rows.with_columns(pl.col(SOURCE).replace_strict({own: "; ".join(all_) for own, all_ in places.items()}))
