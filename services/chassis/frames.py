"""Many rows at once: to and from claim-check Parquet files, and into a table under row-level security."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import BlobRef, Tenant
from services.chassis.work import Job

PARQUET = "application/vnd.apache.parquet"


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


async def insert_frame(session: AsyncSession, table: Table, frame: pl.DataFrame, upsert_on: Sequence[str] = ()) -> None:
    """Insert every row of `frame`, whose columns are columns of `table`, in the session's tenant.

    Rows that are there by the key `upsert_on` are updated. Postgres refuses COPY into a table with row-level security,
    so the rows pass through a temporary one.
    """
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    staging = f"staging_{table.name}"
    await session.execute(
        text(f"create temporary table {staging} on commit drop as select {columns} from {table.fullname} with no data")
    )
    connection = await (await session.connection()).get_raw_connection()
    assert connection.driver_connection is not None
    rows = io.BytesIO()
    frame.write_csv(rows, null_value="\\N", quote_style="non_numeric")
    rows.seek(0)
    await connection.driver_connection.copy_to_table(
        staging, source=rows, columns=frame.columns, format="csv", header=True, null="\\N"
    )
    await session.execute(
        text(
            f"insert into {table.fullname} ({columns}) select {columns} from {staging}{_on_conflict(frame, upsert_on)}"
        )
    )


def _on_conflict(frame: pl.DataFrame, upsert_on: Sequence[str]) -> str:
    if not upsert_on:
        return ""
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in frame.columns if name not in upsert_on)
    return f" on conflict ({', '.join(upsert_on)}) do update set {changes}"
