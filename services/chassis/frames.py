"""Many rows at once: to and from claim-check Parquet files, and into a table under row-level security."""

import asyncio
import io
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import polars as pl
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import BlobRef, Tenant
from services.chassis.tenancy import CLIENT_ACCOUNT, ENGAGEMENT
from services.chassis.work import Job

PARQUET = "application/vnd.apache.parquet"
PIECE_ROWS = 10_000
# No text has this control character but by accident, so that the quotes of JSON need no doubling.
QUOTE = "\x01"


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


async def insert_frames(
    session: AsyncSession, table: Table, frames: Iterable[pl.DataFrame], upsert_on: Sequence[str] = ()
) -> None:
    """Insert every row of `frames`, whose columns are alike and columns of `table`, in the session's tenant.

    Rows that are there by the key `upsert_on` are updated. The next frame is taken in a thread while the server works
    on the one before, so frames may be computed when they are asked for. Frames of about `PIECE_ROWS` rows keep both
    sides in their caches; rows in the order of their key are the fastest. Postgres refuses COPY into a table with
    row-level security, so the rows pass through a temporary one.
    """
    connection = await (await session.connection()).get_raw_connection()
    assert connection.driver_connection is not None
    staging = f"staging_{table.name}"
    insert = ""
    async with aclosing(_prepared(iter(frames))) as pieces:
        async for names, rows in pieces:
            if not insert:
                columns = ", ".join(f'"{name}"' for name in names)
                await session.execute(text(f"drop table if exists pg_temp.{staging}"))
                await session.execute(
                    text(
                        f"create temporary table {staging} on commit drop as"
                        f" select {columns} from {table.fullname} with no data"
                    )
                )
                # The tenant's columns would fill themselves, but at the price of reading the setting for each row.
                insert = (
                    f"insert into {table.fullname} (client_account_id, engagement_id, {columns})"
                    f" select (select {CLIENT_ACCOUNT}), (select {ENGAGEMENT}), {columns} from {staging}"
                    f"{_on_conflict(names, upsert_on)}"
                )
            await connection.driver_connection.copy_to_table(
                staging, source=rows, columns=names, format="csv", header=True, null="\\N", quote=QUOTE
            )
            await session.execute(text(insert))
            await session.execute(text(f"truncate {staging}"))


def rows_with_attributes(
    frame: pl.DataFrame, table: Table, key: str, flow_id: str, tidy: Callable[[pl.Expr], pl.Expr] = lambda json: json
) -> Iterator[pl.DataFrame]:
    """The rows of `frame` as `table` stores them, in the order of its key: its own columns, the other fields as JSON.

    Fields that no row has are left out; `tidy` changes the JSON of each row. They come piece by piece, for the JSON is
    larger than all the rest.
    """
    own = [column.name for column in table.columns if column.name in frame.columns]
    others = [name for name in frame.columns if name not in own and frame[name].null_count() < frame.height]
    attributes = tidy(pl.struct(others).struct.json_encode()) if others else pl.lit("{}")
    order = frame[key].arg_sort()
    for start in range(0, frame.height, PIECE_ROWS):
        piece = frame[order.slice(start, PIECE_ROWS)]
        yield piece.select(pl.lit(flow_id).alias("flow_id"), *own, attributes.alias("attributes"))


async def _prepared(frames: Iterator[pl.DataFrame]) -> AsyncGenerator[tuple[list[str], io.BytesIO], None]:
    """Column names and CSV of each frame, made ready one frame ahead."""

    def prepare() -> tuple[list[str], io.BytesIO] | None:
        frame = next(frames, None)
        if frame is None:
            return None
        rows = io.BytesIO()
        frame.write_csv(rows, null_value="\\N", quote_style="non_numeric", quote_char=QUOTE)
        rows.seek(0)
        return frame.columns, rows

    upcoming = asyncio.create_task(asyncio.to_thread(prepare))
    try:
        while (piece := await upcoming) is not None:
            upcoming = asyncio.create_task(asyncio.to_thread(prepare))
            yield piece
    finally:
        upcoming.cancel()


def _on_conflict(names: Sequence[str], upsert_on: Sequence[str]) -> str:
    if not upsert_on:
        return ""
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in upsert_on)
    return f" on conflict ({', '.join(upsert_on)}) do update set {changes}"
