"""Cores of all sockets, however an export counts them."""

from uuid import UUID

import polars as pl
import pytest

from contracts.discovery import ColumnMapping, TableMapping, TableProfile
from contracts.envelope import BlobRef
from services.field_mapping.normalise import SourceTable, normalise_table

COLUMNS = {"sockets": "cpu_sockets", "cores": "cpu_cores", "per socket": "cores_per_socket"}


def total_cores(**columns: list[str]) -> list[int | None]:
    """The cores of each machine, from columns named as in `COLUMNS` with underscores."""
    named = {name.replace("_", " "): values for name, values in columns.items()}
    profile = TableProfile(
        table_id=UUID(int=1),
        import_id=UUID(int=2),
        file_name="servers.csv",
        kind="inventory",
        header_row=1,
        row_count=len(next(iter(named.values()))),
        columns=[],
        rows=BlobRef(key="k", sha256="0", size_bytes=1, media_type="application/vnd.apache.parquet"),
    )
    mapping = TableMapping(
        table_id=profile.table_id,
        file_name=profile.file_name,
        kind="inventory",
        columns=[
            ColumnMapping(column=name, field=COLUMNS[name], confidence=1, status="accepted", reason="")
            for name in named
        ],
    )
    rows = pl.DataFrame({"_row": list(range(2, profile.row_count + 2)), **named})
    cores: list[int | None] = normalise_table(SourceTable(profile, mapping, rows.lazy())).frame["cpu_cores"].to_list()
    return cores


def test_cores_per_socket_are_multiplied() -> None:
    assert total_cores(sockets=["2", "4"], per_socket=["8", "1"]) == [16, 4]


def test_a_total_wins_over_the_product() -> None:
    assert total_cores(sockets=["2", "4"], per_socket=["8", "1"], cores=["12", ""]) == [12, 4]


def test_cores_fewer_than_sockets_are_cores_per_socket() -> None:
    assert total_cores(sockets=["2", "4", "2", ""], cores=["1", "1", "28", "6"]) == [2, 4, 56, 6]


@pytest.mark.parametrize("odd", ["1", "2"])
def test_one_machine_with_too_few_cores_changes_no_other(odd: str) -> None:
    sockets, cores = ["2"] * 20, ["8"] * 19 + [odd]
    assert total_cores(sockets=sockets, cores=cores) == [8] * 19 + [int(odd)]
