"""From imported tables and their decided mapping to one clean inventory; every row is in it or among the rejected."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import orjson
import polars as pl

from contracts.claim_checks import (
    APPLICATION_LIST,
    ASSETS,
    CONNECTIONS,
    DUPLICATES,
    ROW_NUMBER,
    TECHNOLOGY_FIELDS,
)
from contracts.discovery import QualityReport
from contracts.learning import OWN_PREFIX
from services.field_mapping.cleaned_rows import ORDER, Rows, stack
from services.field_mapping.compact_columns import Each, count, whole
from services.field_mapping.identity import SOURCE
from services.field_mapping.merging import Known, merge_assets, merge_groups
from services.field_mapping.normalise import PROBLEM_SCHEMA, MappingMismatch, SourceTable, normalise_columns
from services.field_mapping.quality import Counted, misfits, quality_report
from services.field_mapping.technology_columns import TechnologyNames, canonical_names, refused

__all__ = ["Figures", "Inventory", "MappingMismatch", "SourceTable", "build_inventory", "laid_out"]

_PLACE = {"table_id": pl.String, "file_name": pl.String, "sheet": pl.String}
REJECTED_SCHEMA = {**_PLACE, "row": pl.Int64, "reason": pl.String, "raw": pl.String}
CELL_PROBLEM_SCHEMA = {**_PLACE, **{name: kind for name, kind in PROBLEM_SCHEMA.items() if name != "lost"}}
# What can name an application, first choice first: a mixed inventory writes its name where servers have theirs.
_APPLICATION_NAMES = ("application_name", "hostname", "vm_name")


@dataclass(frozen=True)
class Figures:
    """What is told of an inventory as a whole."""

    quality: QualityReport
    assets_by_environment: dict[str, int]
    assets_by_operating_system: dict[str, int]


class Inventory:
    """A clean inventory; its assets are put together piece by piece, and after the last one it can be told of.

    The frames have the layouts of `contracts.claim_checks`.
    """

    def __init__(self, parts: list["_Sorted"], namespace: UUID, known: Known | None, each: Each) -> None:
        rows = [part.assets for part in parts if part.assets.height]
        self.applications = laid_out(
            _merge_applications(_stack([part.applications for part in parts])), APPLICATION_LIST
        )
        self.connections = laid_out(_count_connections(_stack([part.connections for part in parts])), CONNECTIONS)
        # `raw` is a JSON object of the filled cells.
        self.rejected_rows = pl.concat([pl.DataFrame(schema=REJECTED_SCHEMA), *(part.rejected for part in parts)])
        self.cell_problems = pl.concat([pl.DataFrame(schema=CELL_PROBLEM_SCHEMA), *(part.problems for part in parts)])
        self._invalid = sum((part.invalid for part in parts), Counter[str]())
        self._rejected = sum(part.rejected_assets for part in parts)
        self._rows = sum(part.assets.height for part in parts)
        self._readable = sum((part.readable for part in parts), Counter[str]())
        self._merged = merge_assets(stack(rows), namespace, known, each) if rows else None
        self.duplicates = laid_out(self._merged.doubtful if self._merged else pl.DataFrame(), DUPLICATES)
        self._filled, self._environments, self._systems = Counter[str](), Counter[str](), Counter[str]()

    @property
    def asset_count(self) -> int:
        """How many assets there are."""
        return self._merged.count if self._merged else 0

    def fields(self) -> list[str]:
        """The columns that some asset may have filled."""
        fields = self._merged.fields if self._merged else []
        named = [f"{name}_{part}" for name in TECHNOLOGY_FIELDS if name in fields for part in ("product", "release")]
        return ["asset_uid", "name", "source_rows", *fields, *named]

    def pieces(self, size: int) -> Iterator[pl.DataFrame]:
        """All assets, so many at a time, and without any an empty frame; to be asked for once."""
        names = TechnologyNames()
        for piece in self._merged.pieces(size) if self._merged else [pl.DataFrame()]:
            assets = laid_out(names.beside(piece), ASSETS)
            self._filled.update(dict(zip(assets.columns, assets.count().row(0), strict=True)))
            self._environments.update(_counts(assets["environment"]))
            self._systems.update(_counts(canonical_names(assets, "operating_system")))
            yield assets

    def figures(self) -> Figures:
        """The figures of all assets, once they were asked for."""
        return Figures(
            quality_report(
                Counted(self.asset_count, self._filled),
                Counted(self._rows, self._readable),
                self._invalid,
                self._rejected,
            ),
            _most_frequent_first(self._environments),
            _most_frequent_first(self._systems),
        )


@dataclass(frozen=True)
class _Sorted:
    """The rows of one table by what they become, and what is wrong with them."""

    assets: Rows
    applications: pl.DataFrame
    connections: pl.DataFrame
    rejected: pl.DataFrame
    problems: pl.DataFrame
    rejected_assets: int
    readable: Counter[str]
    invalid: Counter[str]


def build_inventory(
    tables: list[SourceTable], namespace: UUID, each: Each = map, known: Known | None = None
) -> Inventory:
    """Normalise and merge the rows of these tables, in this order.

    Only accepted columns are used. Assets that are not `known` get version 5 UUIDs in `namespace`. `each` is `map`, or
    one that reads several columns at a time. Raises `MappingMismatch` for a mapping that does not fit its table.
    """
    position, parts = 0, []
    for table in tables:
        parts.append(_sort_rows(table, position, each))
        position += table.profile.row_count
    return Inventory(parts, namespace, known, each)


def _sort_rows(table: SourceTable, position: int, each: Each) -> _Sorted:
    """Normalise one table, and sort its rows by what they are; `position` is the number of rows before it."""
    columns, problems = normalise_columns(table, each)
    rows, profile = Rows.of_table(table, columns), table.profile
    del columns
    kinds = _kinds(profile.kind, rows)
    unusable = {
        "assets": misfits(table, rows, kinds["assets"]),
        "applications": misfits(table, rows, kinds["applications"], _APPLICATION_NAMES),
    }
    applications = rows.take(_usable(rows, kinds["applications"], unusable["applications"]))
    connections, unusable["connections"] = _connection_ends(rows, kinds["connections"])
    rows = rows.chosen(_usable(rows, kinds["assets"], unusable["assets"]))
    problems = pl.concat([problems, _refused_technologies(table, rows)])
    lost = problems.filter("lost").join(rows.numbers.to_frame("row"), on="row", how="semi")
    at = [pl.lit(str(profile.table_id)).alias("table_id"), pl.lit(profile.file_name).alias("file_name")]
    at.append(pl.lit(profile.sheet, pl.String).alias("sheet"))
    rejected = _with_cells(table, pl.concat(unusable.values()))
    return _Sorted(
        assets=rows,
        applications=applications.with_columns(pl.col(ORDER) + position),
        connections=connections,
        rejected=rejected.select(*at, pl.col(ROW_NUMBER).alias("row"), "reason", "raw"),
        problems=problems.select(*at, *(name for name in CELL_PROBLEM_SCHEMA if name not in _PLACE)),
        rejected_assets=unusable["assets"].height,
        readable=Counter({name: count(column) for name, column in rows.columns.items()}),
        invalid=Counter(dict(lost.group_by("field").len().iter_rows())),
    )


def _refused_technologies(table: SourceTable, rows: Rows) -> pl.DataFrame:
    """Texts whose technology is not certain, as problems that lose nothing."""
    columns = {column.field: column.column for column in reversed(table.mapping.columns) if column.field}
    found = refused(rows).with_columns(
        column=pl.col("field").replace_strict(columns, return_dtype=pl.String), lost=pl.lit(False)
    )
    return found.select(name for name in PROBLEM_SCHEMA)


def _usable(rows: Rows, positions: pl.Series, unusable: pl.DataFrame) -> pl.Series:
    if unusable.is_empty():
        return positions
    return positions.filter(~rows.numbers.gather(positions).is_in(unusable[ROW_NUMBER].implode()))


def _kinds(kind: str, rows: Rows) -> dict[str, pl.Series]:
    """The positions of the rows of each kind; an inventory may list applications among its assets."""
    everything = pl.int_range(rows.height, dtype=pl.UInt32, eager=True)
    nothing = everything.clear()
    kinds = {"assets": nothing, "applications": nothing, "connections": nothing}
    kinds["assets" if kind == "inventory" else kind] = everything
    if kind == "inventory" and "asset_type" in rows.columns:
        is_application = (whole(rows.columns["asset_type"]) == "application").fill_null(False)
        if is_application.any():
            kinds["assets"], kinds["applications"] = (~is_application).arg_true(), is_application.arg_true()
    return kinds


def _with_cells(table: SourceTable, unusable: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows in the file's order, each with `raw`: its filled cells as written, a JSON object."""
    rows = table.frame.filter(pl.col(ROW_NUMBER).is_in(unusable[ROW_NUMBER].implode())).collect(engine="streaming")
    cells = rows.drop(ROW_NUMBER)
    raw = [
        orjson.dumps({name: cell for name, cell in row.items() if cell}).decode() for row in cells.iter_rows(named=True)
    ]
    return (
        rows.select(ROW_NUMBER)
        .with_columns(raw=pl.Series(raw, dtype=pl.String))
        .join(unusable, on=ROW_NUMBER, maintain_order="left")
    )


def _stack(frames: list[pl.DataFrame]) -> pl.DataFrame:
    filled = [frame for frame in frames if frame.height]
    return pl.concat(filled, how="diagonal") if filled else pl.DataFrame()


def _text(frame: pl.DataFrame, name: str) -> pl.Series:
    return (
        frame[name]
        if name in frame.columns
        else pl.Series(name, [None], dtype=pl.String).new_from_index(0, frame.height)
    )


def laid_out(frame: pl.DataFrame, layout: dict[str, str]) -> pl.DataFrame:
    """The columns of a claim check, in its order and types, and after them the tenant's own fields."""
    types = {name: pl.Datetime("us") if kind == "Datetime" else getattr(pl, kind) for name, kind in layout.items()}
    if frame.is_empty():
        return pl.DataFrame(schema=types)
    laid_out = frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in types.items()
    )
    return laid_out.hstack(frame.select(pl.selectors.starts_with(OWN_PREFIX)))


def _merge_applications(rows: pl.DataFrame) -> pl.DataFrame:
    """One record for each application name, ignoring case and repeated blanks."""
    if rows.is_empty():
        return rows
    names = [name for name in _APPLICATION_NAMES if name in rows.columns]
    named = rows.with_columns(application_name=pl.coalesce(names))
    if "application_name" in rows.columns and "hostname" in rows.columns:
        named = named.with_columns(hostname=pl.when(rows["application_name"].is_not_null()).then("hostname"))
    elif "hostname" in rows.columns:
        named = named.drop("hostname")
    key = pl.col("application_name").str.to_lowercase().str.replace_all(r"\s+", " ")
    return merge_groups(named, named.with_row_index("row").select(pl.col("row").min().over(key)).to_series())


def _connection_ends(rows: Rows, positions: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Connections with both ends, and the rows that lack one.

    An end is the name in lower case, else the IP address, else the application.
    """
    frame = rows.take(positions).drop(ORDER, SOURCE)
    ends = []
    for end in ("source", "target"):
        name, address, application = (_text(frame, field) for field in (end, f"{end}_ip", f"{end}_application"))
        short = name.str.to_lowercase().str.replace(r"^[^\\]+\\", "").str.strip_chars_end(".")
        ends.append(pl.select(pl.coalesce(pl.lit(short), pl.lit(address), pl.lit(application)).alias(end)).to_series())
    counted = frame["observations"].fill_null(1) if "observations" in frame.columns else pl.lit(1, pl.Int64)
    frame = frame.with_columns(*ends, observations=counted)
    reason = "The connection has no {0}. Fill the name, the IP address or the application of its {0}."
    missing = pl.coalesce(
        pl.when(pl.col(end).is_null()).then(pl.lit(reason.format(end))) for end in ("source", "target")
    )
    reasons = frame.select(rows.numbers.gather(positions).alias(ROW_NUMBER), reason=missing)
    return frame.filter(reasons["reason"].is_null()), reasons.drop_nulls("reason")


def _count_connections(rows: pl.DataFrame) -> pl.DataFrame:
    if rows.is_empty():
        return rows
    keys = [name for name in CONNECTIONS if name in rows.columns and name != "observations"]
    if "protocol" in keys:
        rows = rows.with_columns(pl.col("protocol").str.to_lowercase())
    return rows.group_by(keys, maintain_order=True).agg(pl.col("observations").sum())


def _counts(values: pl.Series) -> dict[str, int]:
    """How often each value occurs; null is "Unknown"."""
    return dict(values.fill_null("Unknown").alias("value").value_counts().iter_rows())


def _most_frequent_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda counted: (-counted[1], counted[0])))
