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
    """The changes of some assets (`ASSET_CHANGES`), and how many of them are known."""

    changes: pl.DataFrame
    found_again: int


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


def compare(before: pl.DataFrame, after: pl.DataFrame) -> Compared:
    """Assets of an import, and what is stored of them; an asset counts as changed when a field has another value.

    `before` has a column for each field of the catalogue and `vanished_from`; a field that `after` lacks is empty.
    """
    known = before.select("asset_uid", "vanished_from")
    named = after.select("asset_uid", "name")
    back = named.join(known.filter(pl.col("vanished_from").is_not_null()), on="asset_uid", how="semi")
    appeared = named.join(known, on="asset_uid", how="anti")
    changes = [_told(appeared, "appeared"), _told(back, "returned"), _changed(before, after)]
    return Compared(pl.concat(changes), known.height)


def vanished(missing: pl.DataFrame, sources: set[str]) -> pl.DataFrame:
    """Those of the stored assets that an import does not have which are gone (`ASSET_CHANGES`).

    An asset has vanished when every source that knew it was imported again without it; `sources` are the import's.
    """
    present = missing.filter(pl.col("vanished_from").is_null())
    return _told(present.filter(_only_from(present["source_rows"], sources)), "vanished")


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
    empty = (pl.lit(None, before.schema[name]).alias(name) for name in CATALOG if name not in after.columns)
    both = after.with_columns(*empty).join(before, on="asset_uid", suffix=" before")
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
