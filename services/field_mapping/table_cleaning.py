"""From the raw rows below a header to a table: blanks, empty rows, repeated headers and footers go, and are noted."""

import re
from collections.abc import Sequence

import polars as pl

from contracts.claim_checks import ROW_NUMBER
from contracts.envelope import Problem
from services.field_mapping.header import Row, column_names, is_ruler
from services.field_mapping.read_table import MAX_PROBLEMS, height_of

_FOOTER_ROWS = 10
_TOTAL = re.compile(
    r"((grand |sub)?totals?|sum|count|average|gesamt(summe)?|summe|toplam|totaux|totale|suma)\s*[:=]?(\s.{0,60})?",
    re.IGNORECASE,
)
_RULED_END = 3
_CLOSING = re.compile(
    r"(end of (report|file|list|export)|(report )?(generated|exported|created|printed) (by|on|at|with)\b|page \d+"
    r"|\*+\s*end|confidential|©|copyright|source:|note:|\(?\d[\d,.]* (rows?|records?|items?|entries)\b).*",
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


def clean_table(filled: pl.LazyFrame, header: list[str], file_name: str) -> tuple[pl.LazyFrame, list[Problem], int]:
    """The rows of a table, and which filled rows were dropped from it, and how many.

    `filled` has `_row` and the columns that `column_names` makes of the cells of `header`. Where nothing is dropped the
    rows are `filled` itself, so that nobody packs them a second time.
    """
    cells = dict(zip(column_names(header), header, strict=True))
    kept, rulers = _without_rulers(filled, file_name)
    nameless = [name for name, cell in cells.items() if not cell]
    rows, repeated = _without_repeated_headers(_without_empty(kept, nameless), cells, file_name)
    height = height_of(rows)
    rows, footers = _without_footers(rows, height, file_name)
    if footers:
        rows = _without_empty(rows, nameless)
    return rows, rulers + repeated + footers, height_of(filled) - height + len(footers)


def _without_empty(rows: pl.LazyFrame, nameless: list[str]) -> pl.LazyFrame:
    """The rows without those of these columns that have no value."""
    there = set(rows.collect_schema())
    counts = rows.select(pl.col(name).count() for name in nameless if name in there).collect()
    empty = [name for name in counts.columns if not counts[name].item()]
    return rows.drop(empty) if empty else rows


def without_zero_characters(frame: pl.DataFrame) -> pl.DataFrame:
    """The same texts with a visible sign in place of each zero character, which no database takes."""
    return frame.with_columns(pl.col(pl.String).str.replace_all("\0", "\ufffd", literal=True))


def filled_rows(raw: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with a value beside `_row`; outer blanks are stripped and empty cells are null."""
    cells = {name: pl.col(name).str.strip_chars() for name in raw.collect_schema() if name != ROW_NUMBER}
    # Not `replace`, for which polars holds the whole table in memory.
    rows = raw.select(ROW_NUMBER, **{name: pl.when(cell != "").then(cell) for name, cell in cells.items()})
    return rows.filter(~pl.all_horizontal(pl.exclude(ROW_NUMBER).is_null()))


def _without_rulers(filled: pl.LazyFrame, file_name: str) -> tuple[pl.LazyFrame, list[Problem]]:
    """Leave out lines that are drawn below the header and the last row, as consoles and Markdown do."""
    ends = pl.concat([filled.head(1), filled.tail(_RULED_END)]).unique(ROW_NUMBER, maintain_order=True).collect()
    rows = [number for number, *cells in ends.iter_rows() if is_ruler(cells)]
    problems = [
        Problem(code="ruler_row", detail=f"Row {row:,} is a drawn line and was left out.", file_name=file_name, row=row)
        for row in rows
    ]
    return filled.filter(~pl.col(ROW_NUMBER).is_in(rows)) if rows else filled, problems


def _without_repeated_headers(
    frame: pl.LazyFrame, cells: dict[str, str], file_name: str
) -> tuple[pl.LazyFrame, list[Problem]]:
    named = [name for name in frame.collect_schema() if cells.get(name)]
    if len(named) < 2:
        return frame, []
    # Most tables have none, and one column tells.
    first = frame.select(ROW_NUMBER, named[0]).filter(pl.col(named[0]) == cells[named[0]]).collect()[ROW_NUMBER]
    if first.is_empty():
        return frame, []
    repeats = pl.all_horizontal(pl.col(name).eq_missing(pl.lit(cells[name])) for name in named)
    suspects = frame.filter(pl.col(ROW_NUMBER).is_in(first.implode()))
    rows = suspects.filter(repeats).select(ROW_NUMBER).collect(engine="streaming")[ROW_NUMBER].to_list()
    if not rows:
        return frame, []
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


def _without_footers(frame: pl.LazyFrame, height: int, file_name: str) -> tuple[pl.LazyFrame, list[Problem]]:
    """Leave out closing rows: totals that fill far fewer cells than a usual row, and lone sentences."""
    end = frame.slice(max(0, height - 1000)).collect()
    width = end.width - 1
    if width < 2 or height < 2:
        return frame, []
    usual = end.select(pl.sum_horizontal(pl.exclude(ROW_NUMBER).is_not_null()).median()).item()
    tail = end.tail(_FOOTER_ROWS + 1).rows()
    problems: list[Problem] = []
    for before, row in zip(reversed(tail[:-1]), reversed(tail[1:]), strict=True):
        values = [value for value in row[1:] if value is not None]
        if not _is_footer(values, usual, width, after_gap=row[0] - before[0] > 1):
            break
        text = " | ".join(values)[:200]
        detail = f"Row {row[0]:,} is a total or a closing note below the table and was left out: {text}"
        problems.append(Problem(code="footer_row", detail=detail, file_name=file_name, row=row[0]))
    return frame.head(height - len(problems)) if problems else frame, problems[::-1]


def _is_footer(values: list[str], usual: float, width: int, after_gap: bool) -> bool:
    first = values[0]
    if _TOTAL.fullmatch(first):
        return len(values) < usual or len(values) <= 2
    if len(values) > 1:
        return False
    return bool(_CLOSING.fullmatch(first)) or (after_gap and width > 2 and len(first.split()) >= 3)
