"""An asset of two machines becomes two, with the values of their own rows, and stays two in the next import."""

from dataclasses import replace
from uuid import UUID

import polars as pl
import pytest

from contracts.claim_checks import JOINED_ROWS
from services.field_mapping.known_machines import KNOWN_FIELDS
from services.field_mapping.merging import Known
from services.field_mapping.splitting import SplitRefused, other_uid, split_asset
from tests.field_mapping.source_tables import inventory_of, source_table

NAMESPACE = UUID(int=7)
TABLE = source_table(
    {
        "hostname": ["web01", "web01"],
        "ip_address": ["10.0.0.1", "10.0.0.2"],
        "memory_gb": ["16", "32"],
        "location": ["Oslo", None],
    },
    file_name="cmdb.csv",
)
APART = ["cmdb.csv:3"]


def one_asset() -> tuple[UUID, str]:
    asset = inventory_of([TABLE]).assets.row(0, named=True)
    return UUID(asset["asset_uid"]), asset["source_rows"]


def test_each_part_has_the_values_of_its_own_rows() -> None:
    uid, rows = one_asset()
    assets = split_asset([TABLE], uid, rows, APART)
    assert assets.select("asset_uid", "name", "source_rows", "ip_address", "memory_gb", "location").rows() == [
        (str(uid), "web01", "cmdb.csv:2", "10.0.0.1", 16.0, "Oslo"),
        (str(other_uid(uid, APART)), "web01", "cmdb.csv:3", "10.0.0.2", 32.0, None),
    ]


def test_rows_of_other_sheets_stay_with_the_row_that_they_were_joined_to() -> None:
    joined = pl.Series(JOINED_ROWS, ["disks:5; disks:6", "disks:7"])
    table = replace(TABLE, frame=TABLE.frame.with_columns(joined))
    asset = inventory_of([table]).assets.row(0, named=True)
    assets = split_asset([table], UUID(asset["asset_uid"]), asset["source_rows"], APART)
    assert assets["source_rows"].to_list() == ["cmdb.csv:2; disks:5; disks:6", "cmdb.csv:3; disks:7"]


def test_the_next_import_finds_the_same_two_machines() -> None:
    uid, rows = one_asset()
    assets = split_asset([TABLE], uid, rows, APART)
    decision = {"asset_uid": [str(uid)], "other_uid": [str(other_uid(uid, APART))], "same": [False]}
    known = Known(assets.select("asset_uid", *KNOWN_FIELDS), pl.DataFrame(decision))
    again = inventory_of([TABLE], known=known).assets
    assert again.sort("source_rows").equals(assets)


@pytest.mark.parametrize(
    ("apart", "message"),
    [
        (["cmdb.csv:9"], "'cmdb.csv:9' is not among the rows"),
        (["cmdb.csv:2", "cmdb.csv:3"], "needs at least one row"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(apart: list[str], message: str) -> None:
    uid, rows = one_asset()
    with pytest.raises(SplitRefused, match=message):
        split_asset([TABLE], uid, rows, apart)
