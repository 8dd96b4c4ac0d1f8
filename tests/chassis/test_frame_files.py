"""A Parquet file that takes frames one after the other."""

from pathlib import Path

import polars as pl
import pytest

from services.chassis.frame_files import FrameFile


def pieces(count: int) -> list[pl.DataFrame]:
    return [pl.DataFrame({"number": [part, part + 100], "text": [f"row {part}", None]}) for part in range(count)]


def test_all_rows_are_there_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    with FrameFile(path) as file:
        for piece in pieces(20):
            file.write(piece)
    assert pl.read_parquet(path).equals(pl.concat(pieces(20)))


def test_an_empty_frame_leaves_a_file_with_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    with FrameFile(path) as file:
        file.write(pieces(1)[0].clear())
    assert pl.read_parquet(path).equals(pieces(1)[0].clear())


def write(path: Path, then: Exception | None = None) -> None:
    with FrameFile(path) as file:
        for piece in pieces(100):
            file.write(piece)
        if then is not None:
            raise then


def test_a_file_that_cannot_be_written_is_said_to_whoever_writes(tmp_path: Path) -> None:
    with pytest.raises((OSError, pl.exceptions.PolarsError)):
        write(tmp_path)


def test_an_error_beside_the_file_ends_its_writer(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="elsewhere"):
        write(tmp_path / "rows.parquet", ValueError("elsewhere"))
