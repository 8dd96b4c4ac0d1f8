"""Lists by cursor: stable while rows come and go, and as fast on the last page as on the first."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.chassis.errors import BadRequest

# Of a Postgres integer; rows of a list are numbered from 1.
LARGEST_NUMBER = 2**31 - 1
Limit = Annotated[int, Query(ge=1, le=500, description="Items on a page")]


@dataclass(frozen=True)
class Paging:
    """The page that was asked for."""

    limit: int
    cursor: str | None

    async def fetch(
        self,
        session: AsyncSession,
        statement: Select[Any],
        key: InstrumentedAttribute[Any],
        *,
        newest_first: bool = False,
    ) -> tuple[list[Any], str | None]:
        """The rows of this page in the order of `key`, a unique column, or against it, and the next cursor."""
        if self.cursor is not None:
            last = _decoded(self.cursor, key)
            statement = statement.where(key < last if newest_first else key > last)
        ordered = statement.order_by(key.desc() if newest_first else key)
        rows = list((await session.execute(ordered.limit(self.limit + 1))).scalars())
        if len(rows) <= self.limit:
            return rows, None
        last = getattr(rows[self.limit - 1], str(key.key))
        return rows[: self.limit], base64.urlsafe_b64encode(str(last).encode()).decode()


def _decoded(cursor: str, key: InstrumentedAttribute[Any]) -> Any:
    try:
        value = base64.urlsafe_b64decode(cursor.encode()).decode()
        if key.type.python_type is UUID:
            return UUID(value)
        if key.type.python_type is str:
            return value
        number = int(value)
        if abs(number) > LARGEST_NUMBER:
            raise ValueError("no row has such a number")
        return number
    except (ValueError, binascii.Error) as error:
        raise BadRequest("bad_cursor", "The cursor is not one that this list gave. Begin without a cursor.") from error


async def paging(
    limit: Limit = 50, cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None
) -> Paging:
    """The page that was asked for."""
    return Paging(limit, cursor)


Page = Annotated[Paging, Depends(paging)]
