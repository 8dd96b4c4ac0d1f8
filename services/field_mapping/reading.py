"""Messy files into tables: the one way in for every kind of file."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from contracts.envelope import Problem
from services.field_mapping.csv_reading import read_csv
from services.field_mapping.file_format import HEAD_BYTES, detect_kind
from services.field_mapping.json_reading import read_json, read_json_lines
from services.field_mapping.parquet_reading import read_parquet
from services.field_mapping.read_table import FileRejected, ReadLimits, ReadTable, refuse_many_rows
from services.field_mapping.record_types import split_record_types
from services.field_mapping.rvtools import join_tabs
from services.field_mapping.tables_of_file import NO_TABLE, beside_tables
from services.field_mapping.unpacking import Unpacking, entries
from services.field_mapping.xlsx_reading import read_workbook

__all__ = ["FileRejected", "ReadLimits", "ReadTable", "read_tables"]

DEFAULT_LIMITS = ReadLimits()


def read_tables(path: Path, file_name: str, limits: ReadLimits = DEFAULT_LIMITS) -> list[ReadTable]:
    """Every table of a file, at least one; the content decides the format, not the name.

    Read are text with any delimiter or in columns, workbooks of Excel and OpenDocument, JSON, lines of JSON, Parquet,
    and ZIP and gzip archives of these. `file_name` is what people call the file; problems carry it. Raises
    `FileRejected` for a file without a readable table: its problem has a stable code, and says where it lies and what
    to do.
    """
    return split_record_types(join_tabs(_read(path, file_name, limits, Unpacking(limits))))


def _read(path: Path, file_name: str, limits: ReadLimits, unpacking: Unpacking) -> list[ReadTable]:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    match detect_kind(path, head, file_name):
        case "text":
            return [read_csv(path, file_name, limits)]
        case "json":
            return read_json(path, file_name, limits)
        case "ndjson":
            return read_json_lines(path, file_name, limits)
        case "parquet":
            return read_parquet(path, file_name, limits)
        case "xlsx" | "xlsb" | "ods" | "xls" as kind:
            return read_workbook(path, file_name, kind, limits)
        case "zip" | "gzip" as kind:
            return _read_archive(entries(path, file_name, kind, unpacking), file_name, limits, unpacking)


def _read_archive(
    found: Generator[tuple[Path, str], None, None], file_name: str, limits: ReadLimits, unpacking: Unpacking
) -> list[ReadTable]:
    tables: list[ReadTable] = []
    refused: list[Problem] = []
    with closing(found):
        for entry, name in found:
            try:
                tables += _read(entry, name, limits, unpacking)
            except FileRejected as error:
                # A read-me beside the tables is no reason to read none of them.
                if error.problem.code not in NO_TABLE:
                    raise
                refused.append(error.problem)
            if sum(table.height for table in tables) > limits.max_rows:
                refuse_many_rows(name, limits, row=None)
    return beside_tables(tables, refused, file_name)
