"""Messy files into tables: the one way in for every kind of file."""

from pathlib import Path

from services.field_mapping.csv_reading import read_csv
from services.field_mapping.file_format import HEAD_BYTES, detect_kind
from services.field_mapping.read_table import FileRejected, ReadLimits, ReadTable
from services.field_mapping.xlsx_reading import read_workbook

__all__ = ["FileRejected", "ReadLimits", "ReadTable", "read_tables"]

DEFAULT_LIMITS = ReadLimits()


def read_tables(path: Path, file_name: str, limits: ReadLimits = DEFAULT_LIMITS) -> list[ReadTable]:
    """Every table of a CSV, TSV or Excel file, at least one; the content decides the format, not the name.

    `file_name` is what people call the file; problems carry it. Raises `FileRejected` for a file without a readable
    table: its problem has a stable code, and says where it lies and what to do.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    kind = detect_kind(path, head, file_name)
    if kind == "text":
        return [read_csv(path, file_name, limits)]
    return read_workbook(path, file_name, kind, limits)
