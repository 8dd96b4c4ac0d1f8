"""From imported tables and their decided mapping to one clean inventory; every row is in it or among the rejected."""

from collections import Counter
from dataclasses import dataclass, replace
from uuid import UUID

import orjson
import polars as pl

from contracts.claim_checks import APPLICATION_LIST, ASSETS, CONNECTIONS, DUPLICATES, JOINED_ROWS, ROW_NUMBER
from contracts.discovery import QualityReport
from contracts.learning import OWN_PREFIX
from services.field_mapping.identity import IDENTITY_FIELDS, SOURCE
from services.field_mapping.merging import ORDER, Known, Merged, merge_assets, merge_groups
from services.field_mapping.normalise import PROBLEM_SCHEMA, Each, MappingMismatch, SourceTable, normalise_table
from services.field_mapping.quality import misfits, quality_report
from services.field_mapping.technology_columns import canonical_names, refused, with_technologies

__all__ = ["Inventory", "MappingMismatch", "SourceTable", "build_inventory", "laid_out"]

_PLACE = {"table_id": pl.String, "file_name": pl.String, "sheet": pl.String}
REJECTED_SCHEMA = {**_PLACE, "row": pl.Int64, "reason": pl.String, "raw": pl.String}
CELL_PROBLEM_SCHEMA = {**_PLACE, **{name: kind for name, kind in PROBLEM_SCHEMA.items() if name != "lost"}}
# What can name an application, first choice first: a mixed inventory writes its name where servers have theirs.
_APPLICATION_NAMES = ("application_name", "hostname", "vm_name")


@dataclass(frozen=True)
class Inventory:
    """A clean inventory; the first four frames have the layouts of `contracts.claim_checks`."""

    assets: pl.DataFrame
    applications: pl.DataFrame
    connections: pl.DataFrame
    duplicates: pl.DataFrame  # pairs of assets that might be one machine
    rejected_rows: pl.DataFrame  # REJECTED_SCHEMA; `raw` is a JSON object of the filled cells
    cell_problems: pl.DataFrame  # CELL_PROBLEM_SCHEMA
    quality: QualityReport
    assets_by_environment: dict[str, int]
    assets_by_operating_system: dict[str, int]


@dataclass(frozen=True)
class _Sorted:
    """The rows of one table by what they become, and what is wrong with them."""

    assets: pl.DataFrame
    applications: pl.DataFrame
    connections: pl.DataFrame
    rejected: pl.DataFrame
    problems: pl.DataFrame
    rejected_assets: int
    invalid: Counter[str]


def build_inventory(
    tables: list[SourceTable], namespace: UUID, each: Each = map, known: Known | None = None
) -> Inventory:
    """Normalise, merge and measure the rows of these tables, in this order.

    Only accepted columns are used. Assets that are not `known` get version 5 UUIDs in `namespace`. `each` is `map`, or
    one that reads several columns at a time. Raises `MappingMismatch` for a mapping that does not fit its table.
    """
    position, parts = 0, []
    for table in tables:
        parts.append(_sort_rows(table, position, each))
        position += _height(table)
    rows = _stack([part.assets for part in parts])
    merged = merge_assets(rows, namespace, known) if rows.height else Merged(rows, pl.DataFrame())
    assets = with_technologies(merged.assets)
    invalid = sum((part.invalid for part in parts), Counter[str]())
    return Inventory(
        quality=quality_report(assets, rows, invalid, sum(part.rejected_assets for part in parts)),
        assets_by_environment=_counts(_text(assets, "environment")),
        assets_by_operating_system=_counts(canonical_names(assets, "operating_system")),
        assets=laid_out(assets, ASSETS),
        duplicates=laid_out(merged.doubtful, DUPLICATES),
        applications=laid_out(_merge_applications(_stack([part.applications for part in parts])), APPLICATION_LIST),
        connections=laid_out(_count_connections(_stack([part.connections for part in parts])), CONNECTIONS),
        rejected_rows=pl.concat([pl.DataFrame(schema=REJECTED_SCHEMA), *(part.rejected for part in parts)]),
        cell_problems=pl.concat([pl.DataFrame(schema=CELL_PROBLEM_SCHEMA), *(part.problems for part in parts)]),
    )


def _sort_rows(table: SourceTable, position: int, each: Each) -> _Sorted:
    """Normalise one table; `position` is the number of rows before it."""
    normalised = normalise_table(table, each)
    rows, problems, profile = normalised.frame, normalised.problems, table.profile
    place = f"{profile.file_name}{f'/{profile.sheet}' if profile.sheet else ''}:"
    rows = rows.with_columns(
        pl.int_range(position, position + pl.len(), dtype=pl.Int64).alias(ORDER),
        _places(place, table.frame),
    )
    del normalised
    kinds = {kind: rows.filter(mask) for kind, mask in _kinds(profile.kind, rows).items()}
    del rows
    unusable = {
        "assets": _misfits_among(table, kinds["assets"], IDENTITY_FIELDS),
        "applications": _misfits_among(table, kinds["applications"], _APPLICATION_NAMES),
    }
    connections, unusable["connections"] = _connection_ends(kinds["connections"])
    usable = {kind: _without(kinds.pop(kind), unusable[kind]) for kind in list(kinds)}
    problems = pl.concat([problems, _refused_technologies(table, usable["assets"])])
    lost = problems.filter("lost").join(usable["assets"], left_on="row", right_on=ROW_NUMBER, how="semi")
    at = [pl.lit(str(profile.table_id)).alias("table_id"), pl.lit(profile.file_name).alias("file_name")]
    at.append(pl.lit(profile.sheet, pl.String).alias("sheet"))
    rejected = _with_cells(table, pl.concat(unusable.values()))
    return _Sorted(
        assets=usable["assets"].drop(ROW_NUMBER),
        applications=usable["applications"].drop(ROW_NUMBER),
        connections=connections,
        rejected=rejected.select(*at, pl.col(ROW_NUMBER).alias("row"), "reason", "raw"),
        problems=problems.select(*at, *(name for name in CELL_PROBLEM_SCHEMA if name not in _PLACE)),
        rejected_assets=unusable["assets"].height,
        invalid=Counter(dict(lost.group_by("field").len().iter_rows())),
    )


def _refused_technologies(table: SourceTable, rows: pl.DataFrame) -> pl.DataFrame:
    """Texts whose technology is not certain, as problems that lose nothing."""
    columns = {column.field: column.column for column in reversed(table.mapping.columns) if column.field}
    found = refused(rows).with_columns(
        column=pl.col("field").replace_strict(columns, return_dtype=pl.String), lost=pl.lit(False)
    )
    return found.select(name for name in PROBLEM_SCHEMA)


def _height(table: SourceTable) -> int:
    height: int = table.frame.select(pl.len()).collect().item()
    return height


def _without(rows: pl.DataFrame, unusable: pl.DataFrame) -> pl.DataFrame:
    if unusable.is_empty():
        return rows
    return rows.join(unusable, on=ROW_NUMBER, how="anti", maintain_order="left")


def _places(place: str, frame: pl.LazyFrame) -> pl.Series:
    """Where each row comes from, with the places of the rows of other sheets that were joined to it."""
    joined = [JOINED_ROWS] if JOINED_ROWS in frame.collect_schema() else []
    own = pl.concat_str(pl.lit(place), ROW_NUMBER)
    return (
        frame.select(pl.concat_str(own, *joined, separator="; ", ignore_nulls=True).alias(SOURCE)).collect().to_series()
    )


def _kinds(kind: str, rows: pl.DataFrame) -> dict[str, pl.Expr]:
    """Which rows of a table are what; an inventory may list applications among its assets."""
    is_application = pl.lit(False)
    if kind == "inventory" and "asset_type" in rows.columns:
        found = (rows["asset_type"] == "application").fill_null(False)
        # Most lists have none, and a table of which every row is kept is not copied.
        is_application = pl.lit(found) if found.any() else is_application
    return {
        "assets": pl.lit(kind == "inventory") & ~is_application,
        "applications": pl.lit(kind == "applications") | is_application,
        "connections": pl.lit(kind == "connections"),
    }


def _misfits_among(table: SourceTable, rows: pl.DataFrame, identity: tuple[str, ...]) -> pl.DataFrame:
    frame = table.frame
    if rows.height < _height(table):
        frame = frame.join(rows.lazy().select(ROW_NUMBER), on=ROW_NUMBER, how="semi", maintain_order="left")
    return misfits(replace(table, frame=frame), rows.drop(ORDER, SOURCE), identity)


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


def _connection_ends(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Connections with both ends, and the rows that lack one.

    An end is the name in lower case, else the IP address, else the application.
    """
    ends = []
    for end in ("source", "target"):
        name, address, application = (_text(rows, field) for field in (end, f"{end}_ip", f"{end}_application"))
        short = name.str.to_lowercase().str.replace(r"^[^\\]+\\", "").str.strip_chars_end(".")
        ends.append(pl.select(pl.coalesce(pl.lit(short), pl.lit(address), pl.lit(application)).alias(end)).to_series())
    counted = rows["observations"].fill_null(1) if "observations" in rows.columns else pl.lit(1, pl.Int64)
    rows = rows.with_columns(*ends, observations=counted)
    reason = "The connection has no {0}. Fill the name, the IP address or the application of its {0}."
    missing = pl.coalesce(
        pl.when(pl.col(end).is_null()).then(pl.lit(reason.format(end))) for end in ("source", "target")
    )
    unusable = rows.select(ROW_NUMBER, reason=missing).drop_nulls("reason")
    return rows.join(unusable, on=ROW_NUMBER, how="anti", maintain_order="left").drop(
        ROW_NUMBER, ORDER, SOURCE
    ), unusable


def _count_connections(rows: pl.DataFrame) -> pl.DataFrame:
    if rows.is_empty():
        return rows
    keys = [name for name in CONNECTIONS if name in rows.columns and name != "observations"]
    if "protocol" in keys:
        rows = rows.with_columns(pl.col("protocol").str.to_lowercase())
    return rows.group_by(keys, maintain_order=True).agg(pl.col("observations").sum())


def _counts(values: pl.Series) -> dict[str, int]:
    """How often each value occurs, the most frequent first; null is "Unknown"."""
    counted = (
        values.fill_null("Unknown").alias("value").value_counts().sort(["count", "value"], descending=[True, False])
    )
    return dict(counted.iter_rows())
