"""What reading a file gives: tables, or one clear problem that says why there are none."""

from dataclasses import dataclass
from typing import NoReturn

import polars as pl

from contracts.envelope import Problem

# `contracts.discovery.TableProfile` carries at most this many problems.
MAX_PROBLEMS = 100


@dataclass(frozen=True)
class ReadLimits:
    """How large a file may be before it is refused instead of read."""

    max_columns: int = 2_000
    max_rows: int = 5_000_000
    max_unpacked_bytes: int = 2 * 1024**3
    max_cell_chars: int = 131_072
    # A worksheet is held as a dense grid of about 32 bytes a cell, so one stray cell far out costs gigabytes.
    max_sheet_cells: int = 20_000_000


@dataclass(frozen=True)
class ReadTable:
    """One table of a file.

    `frame` has `_row` (Int64, the row in the file, from 1) and then every column of the file as a string, stripped of
    outer blanks, null where a cell is empty. `header_row` is the row of the header in the file, from 1.
    """

    sheet: str | None
    header_row: int
    frame: pl.DataFrame
    problems: list[Problem]


class FileRejected(Exception):
    """A file that cannot be read into tables; `problem` says why, where, and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def reject(code: str, file_name: str, detail: str, row: int | None = None, column: str | None = None) -> NoReturn:
    """Raise `FileRejected` for the file."""
    raise FileRejected(Problem(code=code, detail=detail, file_name=file_name, row=row, column=column))


def at_most(problems: list[Problem], file_name: str) -> list[Problem]:
    """The first problems, with a last one that counts the rest when there are more than `MAX_PROBLEMS`."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    rest = len(problems) - MAX_PROBLEMS + 1
    more = Problem(
        code="more_problems",
        detail=f"{rest:,} more rows or cells were treated like these; they are not listed one by one.",
        file_name=file_name,
    )
    return [*problems[: MAX_PROBLEMS - 1], more]
