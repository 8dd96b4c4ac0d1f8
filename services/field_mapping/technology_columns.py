"""Canonical products and releases beside the raw texts of an inventory; every distinct text is looked at once."""

from dataclasses import dataclass

import polars as pl

from services.field_mapping.cleaned_rows import Rows
from services.field_mapping.technology_catalogue import CONCEPT, technology_products
from services.field_mapping.technology_names import Technology, recognise

_REFUSED = "names no known technology with certainty, so it is only kept as written (rows with this text: {:,})"
# A column with more different texts than this is no list of technologies; only the most frequent are looked at.
MOST_TEXTS = 5_000

_PLATFORMS = frozenset({"operating system", "hypervisor"})


@dataclass(frozen=True)
class _Column:
    """The column of versions beside a column of technologies, and which kinds of products it can name."""

    version: str | None
    kinds: frozenset[str]


_COLUMNS = {
    "operating_system": _Column("os_version", _PLATFORMS),
    "database_engine": _Column("database_version", frozenset({"database"})),
    "hypervisor": _Column(None, _PLATFORMS | {"management"}),
    "server_role": _Column(None, frozenset({product.kind for product in technology_products()}) - {CONCEPT}),
}


class TechnologyNames:
    """What the texts of an inventory mean, looked up as far as they come: each once, and not more than `MOST_TEXTS`."""

    def __init__(self) -> None:
        self._known: dict[str, pl.DataFrame] = {}

    def beside(self, assets: pl.DataFrame) -> pl.DataFrame:
        """Assets with `<field>_product` and `<field>_release` for each field that names technologies, and the text."""
        for field, column in _COLUMNS.items():
            if field in assets.columns:
                key = [field, column.version] if column.version in assets.columns else [field]
                known = self._known[field] = self._looked_up(field, key, assets)
                assets = assets.join(known, on=key, how="left", nulls_equal=True, maintain_order="left")
        return assets

    def _looked_up(self, field: str, key: list[str], assets: pl.DataFrame) -> pl.DataFrame:
        texts, known = assets.select(key), self._known.get(field)
        if known is not None:
            texts = texts.join(known, on=key, how="anti", nulls_equal=True, maintain_order="left")
        texts = _frequent(texts).head(MOST_TEXTS - (0 if known is None else known.height))
        found = [_technology(field, *row) for row in texts.iter_rows()]
        names = {
            f"{field}_product": [technology and technology.product for technology in found],
            f"{field}_release": [technology and technology.release for technology in found],
        }
        looked_up = texts.with_columns(pl.Series(name, values, pl.String) for name, values in names.items())
        return looked_up if known is None else pl.concat([known, looked_up])


def with_technologies(assets: pl.DataFrame) -> pl.DataFrame:
    """Assets with what `TechnologyNames` puts beside them."""
    return TechnologyNames().beside(assets)


def refused(rows: Rows) -> pl.DataFrame:
    """`field`, `row`, `raw` and `reason` of each distinct text that names no technology, at the first row that has it.

    Roles are left out: "file server" names a function and is no product that was missed.
    """
    found: list[tuple[str, int, str, str]] = []
    for field, column in _COLUMNS.items():
        if field in rows.columns and field != "server_role":
            key = [name for name in (field, column.version) if name and name in rows.columns]
            counted = rows.counted(key).drop_nulls(field).sort("count", "first", descending=[True, False])
            found += [
                (field, row["first"], row[field], _REFUSED.format(row["count"]))
                for row in counted.head(MOST_TEXTS).iter_rows(named=True)
                if _technology(field, *(row[name] for name in key)) is None
            ]
    schema = {"field": pl.String, "row": pl.Int64, "raw": pl.String, "reason": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row").unique(["field", "raw"], maintain_order=True)


def canonical_names(assets: pl.DataFrame, field: str) -> pl.Series:
    """Product and release of each asset, "Windows Server 2012 R2"; its text where no product is known."""
    if f"{field}_product" not in assets.columns:
        return pl.Series(field, [None], dtype=pl.String).new_from_index(0, assets.height)
    product, release = pl.col(f"{field}_product"), pl.col(f"{field}_release")
    name = pl.concat_str(product, release, separator=" ", ignore_nulls=True)
    return assets.select(pl.when(product.is_not_null()).then(name).otherwise(field).alias(field)).to_series()


def _technology(field: str, text: str, version: str | None = None) -> Technology | None:
    """What a text means in this column: "Oracle" among operating systems is refused."""
    technology = recognise(text, version)
    return technology if technology and technology.kind in _COLUMNS[field].kinds else None


def _frequent(frame: pl.DataFrame) -> pl.DataFrame:
    """The most frequent texts with their versions."""
    given = frame.filter(pl.first().is_not_null())
    counted = given.group_by(frame.columns, maintain_order=True).agg(pl.len().alias("count"))
    return counted.sort("count", descending=True, maintain_order=True).select(frame.columns)
