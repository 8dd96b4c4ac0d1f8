"""Parquet files of frames that come one after the other, so that there are never all of them in memory."""

import queue
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
from polars.io.plugins import register_io_source

from services.chassis.frames import PIECE_ROWS

# Smaller groups are slower to write and larger as files.
_GROUP_ROWS = 5 * PIECE_ROWS
# What waits to be written, so that neither side often waits for the other.
_FRAMES_AHEAD = 3
# How often a writer that waits looks whether anybody is left to take from it.
_LOOK_SECONDS = 0.2


class FrameFile:
    """A Parquet file that a thread of its own writes: `write` takes frames that are all alike, at least one.

    The file is complete when the `with` block has ended well.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: queue.Queue[pl.DataFrame | None] = queue.Queue(_FRAMES_AHEAD)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="parquet")
        self._written: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Write the rows of a frame behind those before; raises what has gone wrong with them."""
        if self._written is None:
            self._written = self._thread.submit(self._sink, frame.schema)
        self._put(frame)

    def finish(self) -> None:
        """Complete the file, for who needs it before the `with` block ends; raises what has gone wrong with it."""
        if self._written is not None:
            if not self._written.done():
                self._put(None)
            self._written.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.finish()
        finally:
            self._thread.shutdown(wait=False)

    def _put(self, frame: pl.DataFrame | None) -> None:
        assert self._written is not None
        while not self._written.done():
            try:
                self._waiting.put(frame, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return
        self._written.result()

    def _sink(self, schema: pl.Schema) -> None:
        def frames(
            with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
        ) -> Iterator[pl.DataFrame]:
            while (frame := self._waiting.get()) is not None:
                yield frame

        # Light compression: the files are read once or twice, soon, on the same network.
        register_io_source(frames, schema=schema).sink_parquet(
            self._path, compression="lz4", statistics=False, row_group_size=_GROUP_ROWS
        )


def pieces(path: Path) -> Iterator[pl.DataFrame]:
    """The rows of a frame file, `PIECE_ROWS` at a time; no row group is unpacked twice."""
    rows = pl.scan_parquet(path)
    for start in range(0, rows.select(pl.len()).collect().item(), _GROUP_ROWS):
        yield from rows.slice(start, _GROUP_ROWS).collect().iter_slices(PIECE_ROWS)
