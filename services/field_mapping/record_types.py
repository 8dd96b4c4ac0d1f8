"""Files that mix records of two types: applications (1) and their dependencies (2), as Konveyor's import has them.

The layout is that of Konveyor's application import (docs.konveyor.io, "CSV file format"): the first column holds the
type, and a dependency is "southbound" where the application needs the other, "northbound" where the other needs it.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from contracts.claim_checks import ROW_NUMBER
from contracts.envelope import Problem
from services.field_mapping.read_table import FileRejected, ReadTable, at_most, packed

_TYPE = re.compile(r"record\s?type(\s?\d)?", re.IGNORECASE)
_APPLICATION, _DEPENDENCY, _DIRECTION = "Application Name", "Dependency", "Dependency Direction"
SOURCE_APPLICATION, TARGET_APPLICATION = "Source application", "Destination application"


def split_record_types(tables: Sequence[ReadTable]) -> list[ReadTable]:
    """The same tables, but one of mixed records as a table of applications and one of the connections between them.

    Rows of another type, and dependencies of another direction, are left out and named. Raises `FileRejected` when no
    table has a row left.
    """
    found = [part for table in tables for part in (_parts(table) if _is_mixed(table) else [table])]
    kept = [part for part in found if part.height]
    if not kept:
        raise FileRejected(found[0].problems[0])
    return kept


def _is_mixed(table: ReadTable) -> bool:
    names = table.columns
    return len(names) > 1 and _TYPE.fullmatch(names[1]) is not None and {_APPLICATION, _DEPENDENCY} <= set(names)


def _parts(table: ReadTable) -> list[ReadTable]:
    frame = table.frame
    record_type = pl.col(frame.columns[1]).str.strip_suffix(".0")
    direction = (pl.col(_DIRECTION) if _DIRECTION in frame.columns else pl.lit(None, pl.String)).str.to_lowercase()
    known = record_type.is_in(["1", "2"])
    readable = (record_type == "1") | direction.fill_null("southbound").is_in(["southbound", "northbound"])
    checked = frame.with_columns(_known=known.fill_null(False), _readable=readable.fill_null(False))
    problems = [_left_out(table, row) for row in checked.filter(~(pl.col("_known") & pl.col("_readable"))).to_dicts()]
    usable = checked.filter("_known", "_readable").drop("_known", "_readable")
    applications = usable.filter(record_type == "1")
    northbound = direction == "northbound"
    ends = (
        pl.when(northbound).then(pl.col(_DEPENDENCY)).otherwise(pl.col(_APPLICATION)).alias(SOURCE_APPLICATION),
        pl.when(northbound).then(pl.col(_APPLICATION)).otherwise(pl.col(_DEPENDENCY)).alias(TARGET_APPLICATION),
    )
    dependencies = usable.filter(record_type == "2")
    rest = [
        name
        for name in frame.columns
        if name not in (ROW_NUMBER, _APPLICATION, _DEPENDENCY) and dependencies[name].count()
    ]
    dependencies = dependencies.select(ROW_NUMBER, *ends, *rest)
    if dependencies.height:
        note = f"{dependencies.height:,} dependencies among the applications were read as connections between them."
        problems.append(Problem(code="record_types_split", detail=note, file_name=table.file_name))
    left_out = table.left_out + frame.height - usable.height
    told = at_most([*table.problems, *problems], table.file_name)
    first = replace(table, parquet=packed(applications), problems=told, left_out=left_out)
    if applications.is_empty():
        return [replace(first, parquet=packed(dependencies))]
    return [first, replace(table, parquet=packed(dependencies), problems=[], left_out=0)]


def _left_out(table: ReadTable, row: dict[str, str | int | None]) -> Problem:
    number, written = row[ROW_NUMBER], row[table.columns[1]]
    if row["_known"]:
        code, column = "unknown_direction", _DIRECTION
        reason = f"has the direction '{row[_DIRECTION]}'; southbound and northbound are known"
    else:
        code, column = "unknown_record_type", table.columns[1]
        reason = f"has the record type '{written or ''}'; 1 (application) and 2 (dependency) are known"
    return Problem(
        code=code,
        detail=f"Row {number:,} {reason}. It was left out: correct it and import the file again.",
        file_name=table.file_name,
        row=int(number or 0),
        column=column,
    )
