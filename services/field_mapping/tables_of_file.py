"""The tables of a file that holds several things: those worth reading, and a word on the rest."""

from dataclasses import replace

from contracts.envelope import Problem
from services.field_mapping.read_table import FileRejected, ReadTable, at_most

# Why a part of a file holds no table, what tells most first.
NO_TABLE = ("no_header", "no_rows", "not_a_table", "empty_file")


def beside_tables(tables: list[ReadTable], refused: list[Problem], file_name: str) -> list[ReadTable]:
    """The tables, of which the first tells what was not read: `refused` parts, and lists of a single column.

    Beside real tables a table with one column is a note or a legend. Without any table raises `FileRejected` with the
    problem of `refused` that tells most.
    """
    if not tables:
        raise FileRejected(min(refused, key=lambda problem: NO_TABLE.index(problem.code)))
    wide = [table for table in tables if len(table.columns) > 2]
    unread = [
        _not_read(table.file_name, f"{_named(table)} has a single column and was taken for a note beside the tables.")
        for table in tables
        if wide and len(table.columns) <= 2
    ]
    unread += [_not_read(problem.file_name or file_name, problem.detail) for problem in refused]
    first, *others = wide or tables
    return [replace(first, problems=at_most([*unread, *first.problems], file_name)), *others]


def _named(table: ReadTable) -> str:
    return f"Sheet '{table.sheet}'" if table.sheet else f"'{table.file_name}'"


def _not_read(file_name: str, detail: str) -> Problem:
    return Problem(code="sheet_not_read", detail=detail, file_name=file_name)
