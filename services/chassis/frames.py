"""Many rows at once: to and from claim-check Parquet files, and into a table under row-level security."""

import asyncio
import io
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Table, TableClause, column, exists, literal, literal_column, select, text
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import BlobRef, Tenant
from services.chassis.entering import driver_of
from services.chassis.tenancy import CLIENT_ACCOUNT, ENGAGEMENT
from services.chassis.work import Job

PARQUET = "application/vnd.apache.parquet"
PIECE_ROWS = 10_000
# Enough that the server has work while this process is busy with something else.
PIECES_AHEAD = 3
_PART_BYTES = 512 * 1024
_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_SPECIAL = r"[\\\t\n\r]"


async def store_frame(job: Job, tenant: Tenant, kind: str, frame: pl.DataFrame) -> BlobRef:
    """Keep a frame as Parquet in the tenant's blobs and return its claim check."""
    with tempfile.TemporaryDirectory(prefix="modernize-") as folder:
        path = Path(folder) / "frame.parquet"
        # Light compression: the files are read once or twice, soon, on the same network.
        await job.run(frame.write_parquet, path, compression="lz4", statistics=False)
        return await job.blobs.put_file(tenant, kind, path, PARQUET)


async def load_frame(job: Job, tenant: Tenant, ref: BlobRef) -> pl.DataFrame:
    """The frame behind a claim check; raises what `Blobs.local` raises."""
    async with job.blobs.local(tenant, ref) as path:
        return await job.run(pl.read_parquet, path)


@asynccontextmanager
async def scan_frame(job: Job, tenant: Tenant, ref: BlobRef) -> AsyncGenerator[pl.LazyFrame, None]:
    """The frame behind a claim check, of which only what is collected is read; raises what `Blobs.local` raises.

    It can be collected inside the `with` only.
    """
    async with job.blobs.local(tenant, ref) as path:
        yield pl.scan_parquet(path)


async def insert_frames(
    session: AsyncSession,
    table: Table,
    frames: Iterable[pl.DataFrame],
    fixed: Mapping[str, object] | None = None,
    *,
    replace: bool = False,
    before: Callable[[pl.DataFrame], Awaitable[None]] | None = None,
    stored: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
) -> None:
    """Insert every row of `frames`, whose columns are alike and columns of `table`, in the session's tenant.

    `fixed` is what every row has in other columns. With `replace`, rows that are there by the primary key are replaced.
    `before` is called with each frame before its rows are there; `stored` makes of it what is stored, in a thread. The
    next frame is taken in a thread while the server works on the one before, so frames may be computed when they are
    asked for. Frames of about `PIECE_ROWS` rows keep both sides in their caches; rows in the order of their key are the
    fastest. Postgres refuses COPY into a table with row-level security, so the rows pass through a temporary one.
    """
    driver = await driver_of(session)
    replace = replace and await _has_rows(session, table)
    staging = f"staging_{table.name}"
    statement: Insert | None = None
    async with aclosing(_prepared(iter(frames), stored)) as pieces:
        async for frame, names, rows in pieces:
            if before is not None:
                await before(frame)
            if statement is None:
                columns = ", ".join(f'"{name}"' for name in names)
                # nosemgrep: raw-sql - names of ours, no values
                await session.execute(text(f"drop table if exists pg_temp.{staging}"))
                await session.execute(
                    text(
                        f"create temporary table {staging} on commit drop as"
                        f" select {columns} from {table.fullname} with no data"
                    )
                )
                statement = _insert(table, staging, names, fixed or {}, replace)
            await driver.copy_to_table(staging, source=_parts(rows), columns=names, format="text")
            await session.execute(statement)
            # nosemgrep: raw-sql - names of ours, no values
            await session.execute(text(f"truncate {staging}"))


async def _parts(rows: bytes) -> AsyncGenerator[memoryview, None]:
    """Some of the rows at a time. A file would do, but asyncpg makes a class for each, which only the garbage collector
    frees, and with it all of its rows: hundreds of megabytes of a large import."""
    view = memoryview(rows)
    for start in range(0, len(view), _PART_BYTES):
        yield view[start : start + _PART_BYTES]


async def _has_rows(session: AsyncSession, table: Table) -> bool:
    """Whether the tenant has rows in `table`; none of its other transactions can add the first one meanwhile.

    To look for each row's key costs a fifth of an insertion, and a tenant's first import need not.
    """
    engagement = f"'{table.fullname}' || current_setting('app.engagement_id')"
    # nosemgrep: raw-sql - names of ours, no values
    await session.execute(text(f"select pg_advisory_xact_lock(hashtextextended({engagement}, 0))"))
    return bool((await session.execute(select(exists().select_from(table)))).scalar())


def _insert(table: Table, staging: str, names: Sequence[str], fixed: Mapping[str, object], replace: bool) -> Insert:
    # The tenant's columns would fill themselves, but at the price of reading the setting for each row.
    filled: dict[str, ColumnElement[Any]] = {
        "client_account_id": literal_column(f"(select {CLIENT_ACCOUNT})"),
        "engagement_id": literal_column(f"(select {ENGAGEMENT})"),
        **{name: literal(value, table.c[name].type) for name, value in fixed.items()},
        **{name: column(name) for name in names},
    }
    statement = insert(table).from_select(list(filled), select(*filled.values()).select_from(TableClause(staging)))
    if not replace:
        return statement
    # What the new row leaves out is not kept of the old one.
    rest = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=table.primary_key, set_=rest)


_Prepared = tuple[pl.DataFrame, list[str], bytes]


async def _prepared(
    frames: Iterator[pl.DataFrame], stored: Callable[[pl.DataFrame], pl.DataFrame] | None
) -> AsyncGenerator[_Prepared, None]:
    """Each frame, the names of the columns that are stored of it, and its rows as text, made ready some ahead."""

    def prepare() -> _Prepared | None:
        frame = next(frames, None)
        if frame is None:
            return None
        rows = frame if stored is None else stored(frame)
        return frame, rows.columns, copy_text(rows)

    # One thread of its own: an iterator is asked by one at a time.
    thread = ThreadPoolExecutor(1, thread_name_prefix="frames")
    loop = asyncio.get_running_loop()
    try:
        ahead = deque(loop.run_in_executor(thread, prepare) for _ in range(PIECES_AHEAD))
        while (piece := await ahead.popleft()) is not None:
            ahead.append(loop.run_in_executor(thread, prepare))
            yield piece
    finally:
        thread.shutdown(wait=False, cancel_futures=True)


def copy_text(frame: pl.DataFrame) -> bytes:
    """The rows in the text format of Postgres's COPY, which it reads a fifth faster than CSV."""
    rows = io.BytesIO()
    # Few columns have a text to escape, and to ask all of them takes less time than to quote what is written.
    asked = frame.select(pl.col(pl.String).str.join("").str.contains(_SPECIAL))
    special = [column.name for column in asked.iter_columns() if column.item()]
    escaped = frame.with_columns(pl.col(special).str.replace_many(_ESCAPES)) if special else frame
    escaped.write_csv(rows, include_header=False, separator="\t", quote_style="never", null_value=r"\N")
    return rows.getvalue()
