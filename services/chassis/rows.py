"""Many rows in one statement: each column travels as one array, so a thousand rows cost little more than one."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import JSON, CursorResult, Table, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

_POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no types


def json_text(value: Any) -> str | None:
    """A value as a JSON column's text; None is SQL's null."""
    return None if value is None else orjson.dumps(value).decode()


async def insert_rows(
    session: AsyncSession, table: Table, rows: Sequence[Mapping[str, Any]], then: str = ""
) -> CursorResult[Any]:
    """Insert rows that all have the same columns; values of JSON columns are JSON texts.

    `then` is what follows in SQL: `on conflict …`, `returning …`. It must be one of a few constants.
    """
    columns = tuple(rows[0])
    connection = await session.connection()
    return await connection.execute(
        _insert(table, columns, then), {column: [row[column] for row in rows] for column in columns}
    )


@cache
def replacing(table: Table, columns: tuple[str, ...], condition: str = "") -> str:
    """The `on conflict` clause by which these columns of a row that is already there get new values."""
    key = ", ".join(column.name for column in table.primary_key)
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in table.primary_key)
    return f"on conflict ({key}) do update set {changes}" + (f" where {condition}" if condition else "")


@cache
def _insert(table: Table, columns: tuple[str, ...], then: str) -> TextClause:
    arrays, values = [], []
    for name in columns:
        kind = table.c[name].type
        is_json = isinstance(kind, JSON)
        arrays.append(f"cast(:{name} as {'text' if is_json else kind.compile(dialect=_POSTGRES)}[])")
        values.append(f"cast(given.{name} as json)" if is_json else f"given.{name}")
    names = ", ".join(columns)
    return text(
        f"insert into {table.fullname} ({names}) select {', '.join(values)}"
        f" from unnest({', '.join(arrays)}) as given ({names}) {then}"
    )
