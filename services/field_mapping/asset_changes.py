"""What a new export of an estate changes: what appeared, came back, changed and vanished."""

import re
from dataclasses import dataclass
from typing import Any

import polars as pl

from contracts.catalog import CATALOG
from contracts.claim_checks import ASSET_CHANGES

# Of a source's machines fewer than this are found again: the file has the name of another one's. Our figure.
LEAST_FOUND_AGAIN = 1 / 3
_SCHEMA = pl.Schema(dict.fromkeys(ASSET_CHANGES, pl.String))
# What changes from one export to the next in the name of a file: dates, times, and "(2)" of a second download.
_STAMP = re.compile(
    r"[\s._-]*(?<!\d)(?:19|20)\d\d[._-]?(?:0\d|1[0-2])[._-]?[0-3]\d(?:[T\s._-]*[0-2]\d[._:h-]?[0-5]\d(?:[._:m-]?[0-5]\d)?)?"
    r"(?!\d)|[\s._-]*(?<!\d)[0-3]?\d[._-](?:0?\d|1[0-2])[._-](?:19|20)\d\d(?!\d)|\s*\(\d+\)(?=\.|$|/)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Compared:
    """The changes of some assets (`ASSET_CHANGES`), and how many of the earlier ones there are."""

    changes: pl.DataFrame
    found_again: int
    vanished: pl.Series


def is_same_estate(found_again: int, vanished: int) -> bool:
    """Whether enough of a source's machines were found again to say that the rest has vanished."""
    return found_again >= LEAST_FOUND_AGAIN * (found_again + vanished)


def source_of(place: str) -> str:
    """The source that a row's place names, the same for the next export: "cmdb_2026-01-31.csv:7" is of "cmdb.csv"."""
    return _STAMP.sub("", place.rpartition(":")[0]).lower()


def sources_of(source_rows: pl.Series) -> set[str]:
    """All sources that these assets come from."""
    tables = source_rows.str.split("; ").explode().str.replace(r":\d+$", ":").unique()
    return {source_of(place) for place in tables.drop_nulls()}


def compare(before: pl.DataFrame, after: pl.DataFrame, sources: set[str]) -> Compared:
    """Stored assets against those of an import, both of one range of uids; `sources` are the import's.

    Both have a column for each field of the catalogue, `before` also `vanished_from`. An asset has vanished when every
    source that knew it was imported again without it, and counts as changed when a field has another value.
    """
    known = before.select("asset_uid", "vanished_from", "source_rows")
    joined = after.select("asset_uid", "name").join(known, on="asset_uid", how="left")
    again = before.filter(pl.col("vanished_from").is_not_null()).select("asset_uid")
    back = joined.join(again, on="asset_uid", how="semi")
    appeared = after.select("asset_uid", "name").join(before, on="asset_uid", how="anti")
    missing = before.filter(pl.col("vanished_from").is_null()).join(after, on="asset_uid", how="anti")
    gone = missing.filter(_only_from(missing["source_rows"], sources))
    return Compared(
        changes=pl.concat(
            [
                _told(appeared, "appeared"),
                _told(back, "returned"),
                _changed(before, after),
                _told(gone, "vanished"),
            ]
        ),
        found_again=before.join(after, on="asset_uid", how="semi").height,
        vanished=gone["asset_uid"],
    )


def _only_from(source_rows: pl.Series, sources: set[str]) -> pl.Series:
    """Whether each asset comes from these sources alone; each table is looked at once."""
    tables = source_rows.str.replace_all(r":\d+(;|$)", ":$1").alias("tables")
    known = {rows: all(source_of(place) in sources for place in rows.split("; ")) for rows in tables.unique()}
    return tables.replace_strict(known, return_dtype=pl.Boolean) if known else pl.Series([], dtype=pl.Boolean)


def _told(assets: pl.DataFrame, change: str) -> pl.DataFrame:
    nothing: dict[str, Any] = {name: pl.lit(None, pl.String) for name in ("field", "before", "after")}
    return assets.select("asset_uid", "name", change=pl.lit(change), **nothing)


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """One row for each field of an asset that has another value now."""
    both = after.join(before, on="asset_uid", suffix=" before")
    found = [pl.DataFrame(schema=_SCHEMA)]
    for name in CATALOG:
        now, was = pl.col(name), pl.col(f"{name} before")
        changed = both.filter(now.ne_missing(was))
        if changed.height:
            found.append(
                changed.select(
                    "asset_uid",
                    "name",
                    change=pl.lit("changed"),
                    field=pl.lit(name),
                    before=was.cast(pl.String),
                    after=now.cast(pl.String),
                )
            )
    return pl.concat(found)
