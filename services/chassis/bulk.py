"""Many rows into a table at once, under row-level security."""

import io

import polars as pl
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncSession


async def insert_frame(session: AsyncSession, table: Table, frame: pl.DataFrame) -> int:
    """Insert every row of `frame`, whose columns are columns of `table`, in the session's tenant; returns the count.

    Postgres refuses COPY into a table with row-level security, so the rows pass through a temporary one.
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
    await session.execute(text(f"insert into {table.fullname} ({columns}) select {columns} from {staging}"))
    return frame.height
