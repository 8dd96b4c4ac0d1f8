"""Parquet files: typed and nested columns come back as text."""

import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from contracts.envelope import Problem
from services.field_mapping.reading import FileRejected, ReadLimits, read_tables


def parquet(columns: dict[str, list[Any]]) -> bytes:
    content = io.BytesIO()
    pl.DataFrame(columns, strict=False).write_parquet(content)
    return content.getvalue()


def read(folder: Path, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    path = folder / "stored"
    path.write_bytes(parquet(columns))
    (table,) = read_tables(path, "export.parquet")
    assert (table.file_name, table.sheet, table.header_row) == ("export.parquet", None, 0)
    return table.frame.to_dict(as_series=False)


def refused(folder: Path, content: bytes, limits: ReadLimits | None = None) -> Problem:
    (folder / "stored").write_bytes(content)
    with pytest.raises(FileRejected) as caught:
        read_tables(folder / "stored", "export.parquet", limits or ReadLimits())
    assert caught.value.problem.file_name == "export.parquet"
    return caught.value.problem


def test_typed_columns_are_read_as_text_with_the_places_of_their_rows(tmp_path: Path) -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    columns: dict[str, list[Any]] = {
        "name": [" web01 ", None, "db\x0001"],
        "cpus": [4, None, 8],
        "price": [Decimal("1.50"), None, Decimal("2.00")],
        "built": [date(2024, 1, 2), None, None],
        "seen": [moment.replace(tzinfo=None), None, moment.replace(tzinfo=None, microsecond=500_000)],
        "zoned": [moment, None, None],
        "backup": [time(22, 30), None, None],
        "age": [timedelta(hours=1), None, None],
        "virtual": [True, None, False],
        "text": [b"abc", None, "für".encode()],
        "key": [b"\xff\x00", None, None],
        "nothing": [None, None, None],
    }
    assert read(tmp_path, columns) == {
        "_row": [1, 3],
        "name": ["web01", "db\ufffd01"],
        "cpus": ["4", "8"],
        "price": ["1.50", "2.00"],
        "built": ["2024-01-02", None],
        "seen": ["2024-01-02 03:04:05", "2024-01-02 03:04:05.500"],
        "zoned": ["2024-01-02 03:04:05+00:00", None],
        "backup": ["22:30:00", None],
        "age": ["PT1H", None],
        "virtual": ["true", "false"],
        "text": ["abc", "für"],
        "key": ["ff00", None],
        "nothing": [None, None],
    }


def test_nested_columns_are_flattened_with_dots(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "name": ["web01", "db01"],
        "ips": [["10.0.0.1", "10.0.0.2"], None],
        "os": [{"name": "RHEL", "version": 8}, None],
        "disks": [[{"gb": 40}, {"gb": 100}], []],
    }
    assert read(tmp_path, columns) == {
        "_row": [1, 2],
        "name": ["web01", "db01"],
        "ips": ["10.0.0.1; 10.0.0.2", None],
        "os.name": ["RHEL", None],
        "os.version": ["8", None],
        "disks.gb": ["40; 100", None],
    }


def test_a_row_with_nothing_but_nested_values_is_a_row(tmp_path: Path) -> None:
    assert read(tmp_path, {"name": [None, None], "ips": [None, ["10.0.0.1"]]})["_row"] == [2]


def test_a_column_named_like_our_own_is_kept(tmp_path: Path) -> None:
    assert read(tmp_path, {"_row": [7], "name": ["web01"]}) == {"_row": [1], "_row (2)": ["7"], "name": ["web01"]}


def test_a_flat_and_a_nested_column_of_one_name_are_both_kept(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"os.name": ["AIX"], "os": [{"name": "RHEL"}]}
    assert read(tmp_path, columns) == {"_row": [1], "os.name": ["AIX"], "os.name (nested)": ["RHEL"]}


@pytest.mark.parametrize("content", [{"name": []}, {"name": [None, " "]}])
def test_a_file_without_values_is_refused(tmp_path: Path, content: dict[str, list[Any]]) -> None:
    assert refused(tmp_path, parquet(content)).code == "no_rows"


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    whole = parquet({"name": [f"web{number}" for number in range(1_000)]})
    assert refused(tmp_path, whole[:-20]).code == "broken_parquet"
    assert refused(tmp_path, whole[:4] + bytes(100) + whole[104:]).code == "broken_parquet"
    assert refused(tmp_path, b"PAR1" + bytes(200) + b"PAR1").code == "broken_parquet"


def test_limits_on_rows_columns_cells_and_content_hold(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {f"c{number}": ["x" * 30] * 40 for number in range(30)}
    for limits, code in [
        (ReadLimits(max_rows=20), "too_many_rows"),
        (ReadLimits(max_columns=20), "too_many_columns"),
        (ReadLimits(max_table_cells=1_000), "table_too_large"),
        (ReadLimits(max_cell_chars=20), "cell_too_long"),
        (ReadLimits(max_unpacked_bytes=30_000), "unpacks_too_large"),
    ]:
        assert refused(tmp_path, parquet(columns), limits).code == code


def test_one_long_text_repeated_by_a_dictionary_is_refused_before_it_is_read(tmp_path: Path) -> None:
    content = parquet({"name": ["x" * 10_000] * 2_000})
    assert len(content) < 100_000
    assert refused(tmp_path, content, ReadLimits(max_unpacked_bytes=10_000_000)).code == "unpacks_too_large"
