"""A log's entries from the database in their order, millions of them: COPY in binary, a few megabytes at a time."""

import asyncio
import struct
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncSession

from services.audit.checking import Row
from services.chassis.entering import driver_of

# A range is one statement: short enough that it is read by the primary key, never sorted on disk.
RANGE_ENTRIES = 50_000
PIECE_BYTES = 1024**2

# The columns beside the record in one line each, as `chain.found_by` has them from the record.
_COLUMNS = (
    "concat(event_id, E'\\n', event_type, E'\\n', flow_id, E'\\n',"
    " to_char(happened_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US+00:00'), E'\\n', actor)"
)
_ENTRIES = f"select seq, hash, {_COLUMNS}, record from audit.entries where seq > $1 and seq <= $2 order by seq"

# PostgreSQL's documentation of COPY, "Binary Format": a header of 19 bytes, then field count, lengths and values.
_HEADER_BYTES = 19
# Field count, sequence number, hash, and how long the columns are; only a hash of the right length is one.
_HASH_BYTES = 64
_BEGIN = struct.Struct(f">hiqi{_HASH_BYTES}si")
_LENGTH = struct.Struct(">i")


class _Rows:
    """What COPY sends, cut into rows in a thread, so that the event loop goes on meanwhile."""

    def __init__(self, take: Callable[[list[Row]], None]) -> None:
        self._take = take
        self._pieces: list[bytes] = []
        self._size = 0

    async def add(self, data: bytes) -> None:
        """Keep a piece, until there are enough of them."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= PIECE_BYTES:
            await self.parse()

    async def parse(self) -> None:
        """Hand over the rows that are complete."""
        rest = await asyncio.to_thread(self._handed_over, b"".join(self._pieces))
        self._pieces, self._size = [rest], 0

    def _handed_over(self, data: bytes) -> bytes:
        rows, rest = parsed(data)
        self._take(rows)
        return rest


async def read_rows(session: AsyncSession, after: int, until: int, take: Callable[[list[Row]], None]) -> None:
    """Give the entries from `after` (exclusive) to `until` to `take`, which is called in a thread."""
    driver = await driver_of(session)
    for start in range(after, until, RANGE_ENTRIES):
        rows = _Rows(take)
        stop = min(start + RANGE_ENTRIES, until)
        await driver.copy_from_query(_ENTRIES, start, stop, output=rows.add, format="binary")
        await rows.parse()


def parsed(data: bytes) -> tuple[list[Row], bytes]:
    """The rows that are complete in a part of what COPY sends, and what is left of it."""
    rows: list[Row] = []
    at, end = _HEADER_BYTES if data.startswith(b"PGCOPY\n") else 0, len(data)
    begin, length_of = _BEGIN.unpack_from, _LENGTH.unpack_from
    while (columns_at := at + _BEGIN.size) <= end:
        _, _, seq, hash_length, stored, length = begin(data, at)
        if hash_length != _HASH_BYTES:
            hash_at = columns_at - _LENGTH.size - _HASH_BYTES
            columns_at = hash_at + hash_length + _LENGTH.size
            if columns_at > end:
                break
            stored = data[hash_at : hash_at + hash_length]
            (length,) = length_of(data, columns_at - _LENGTH.size)
        columns_end = columns_at + length
        record_at = columns_end + _LENGTH.size
        if record_at > end:
            break
        record_end = record_at + length_of(data, columns_end)[0]
        if record_end > end:
            break
        rows.append((seq, data[record_at:record_end], stored, data[columns_at:columns_end]))
        at = record_end
    return rows, data[at:]
