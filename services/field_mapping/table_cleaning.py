"""From the raw rows below a header to a table: blanks, empty rows, repeated headers and footers go, and are noted."""

import re
from collections.abc import Sequence

import polars as pl

from contracts.claim_checks import ROW_NUMBER
from contracts.envelope import Problem
from services.field_mapping.header import Row, column_names
from services.field_mapping.read_table import MAX_PROBLEMS

_FOOTER_ROWS = 10
_TOTAL = re.compile(
    r"((grand |sub)?totals?|sum|count|average|gesamt(summe)?|summe|toplam|totaux|totale|suma)\s*[:=]?(\s.{0,60})?",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(end of (report|file|list|export)|(report )?(generated|exported|created|printed) (by|on|at|with)\b|page \d+"
    r"|\*+\s*end|confidential|©|copyright|source:|note:|\d[\d,.]* (rows?|records?|items?|entries)\b).*",
    re.IGNORECASE,
)


def titles_above(rows: Sequence[Row], header_row: int, file_name: str) -> list[Problem]:
    """A note of what stands above the header, where anything does; `rows` are the rows before it."""
    titles = [" ".join(cell for cell in row if cell.strip()) for row in rows]
    text = "; ".join(title for title in titles if title)[:300]
    if not text:
        return []
    detail = f"The header is in row {header_row}; what is above it is not part of the table: {text}"
    return [Problem(code="rows_above_header", detail=detail, file_name=file_name, row=1)]


def clean_table(raw: pl.DataFrame, header: list[str], file_name: str) -> tuple[pl.DataFrame, list[Problem], int]:
    """The named rows of a table, and which filled rows were dropped from it, and how many.

    `raw` has `_row` and then one string column for each cell of `header` (and perhaps surplus ones), in order; their
    names are replaced. Outer blanks are stripped and empty cells become null.
    """
    header = header + [""] * (raw.width - 1 - len(header))
    names = column_names(header)
    raw.columns = [ROW_NUMBER, *names]
    frame = filled_rows(raw)
    nameless = [name for name, cell in zip(names, header, strict=True) if not cell]
    frame = frame.drop([name for name in nameless if frame[name].null_count() == frame.height])
    filled = frame.height
    frame, repeated = _without_repeated_headers(frame, dict(zip(names, header, strict=True)), file_name)
    cleaned, footers = _without_footers(frame, file_name)
    return cleaned, repeated + footers, filled - cleaned.height


def without_zero_characters(frame: pl.DataFrame) -> pl.DataFrame:
    """The same texts with a visible sign in place of each zero character, which no database takes."""
    return frame.with_columns(pl.col(pl.String).str.replace_all("\0", "\ufffd", literal=True))


def filled_rows(raw: pl.DataFrame) -> pl.DataFrame:
    """The rows with a value beside `_row`; outer blanks are stripped and empty cells are null."""
    frame = raw.select(ROW_NUMBER, pl.exclude(ROW_NUMBER).str.strip_chars().replace("", None))
    return frame.filter(~pl.all_horizontal(pl.exclude(ROW_NUMBER).is_null()))


def _without_repeated_headers(
    frame: pl.DataFrame, cells: dict[str, str], file_name: str
) -> tuple[pl.DataFrame, list[Problem]]:
    named = [name for name in frame.columns if cells.get(name)]
    if len(named) < 2:
        return frame, []
    first = frame.filter(pl.col(named[0]) == cells[named[0]])
    if first.is_empty():
        return frame, []
    repeats = pl.all_horizontal(pl.col(name).eq_missing(pl.lit(cells[name])) for name in named)
    rows = first.filter(repeats)[ROW_NUMBER].to_list()
    problems = [
        Problem(
            code="repeated_header",
            detail=f"Row {row:,} repeats the header and was left out.",
            file_name=file_name,
            row=row,
        )
        for row in rows[:MAX_PROBLEMS]
    ]
    if len(rows) > MAX_PROBLEMS:
        more = f"Row {problems[-1].row:,} and {len(rows) - MAX_PROBLEMS:,} more repeat the header and were left out."
        problems[-1] = problems[-1].model_copy(update={"detail": more})
    return frame.filter(~pl.col(ROW_NUMBER).is_in(rows)), problems


def _without_footers(frame: pl.DataFrame, file_name: str) -> tuple[pl.DataFrame, list[Problem]]:
    """Leave out closing rows: totals that fill far fewer cells than a usual row, and lone sentences."""
    width = frame.width - 1
    if width < 2 or frame.height < 2:
        return frame, []
    usual = frame.tail(1000).select(pl.sum_horizontal(pl.exclude(ROW_NUMBER).is_not_null()).median()).item()
    tail = frame.tail(_FOOTER_ROWS + 1).rows()
    problems: list[Problem] = []
    for before, row in zip(reversed(tail[:-1]), reversed(tail[1:]), strict=True):
        values = [value for value in row[1:] if value is not None]
        if not _is_footer(values, usual, width, after_gap=row[0] - before[0] > 1):
            break
        text = " | ".join(values)[:200]
        detail = f"Row {row[0]:,} is a total or a closing note below the table and was left out: {text}"
        problems.append(Problem(code="footer_row", detail=detail, file_name=file_name, row=row[0]))
    return frame.head(frame.height - len(problems)), problems[::-1]


def _is_footer(values: list[str], usual: float, width: int, after_gap: bool) -> bool:
    first = values[0]
    if _TOTAL.fullmatch(first):
        return len(values) < usual or len(values) <= 2
    if len(values) > 1:
        return False
    return bool(_CLOSING.fullmatch(first)) or (after_gap and width > 2 and len(first.split()) >= 3)
