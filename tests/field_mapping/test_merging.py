"""Which rows are the same machine."""

import random
from collections.abc import Mapping
from uuid import UUID, uuid5

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.field_mapping.cleaned_rows import ORDER, Rows
from services.field_mapping.identity import SOURCE
from services.field_mapping.merging import merge_assets, name_based_uuids

NAMESPACE = UUID(int=7)
A, B = "4210d9a1-6f3e-4b2c-9d55-0f7a3c1d2e11", "30393137-3136-5a43-4a30-3233304b3951"
A_SWAPPED = "A1D91042-3E6F-2C4B-9D55-0F7A3C1D2E11"
Row = Mapping[str, str | None]


def merged(*rows: Row) -> pl.DataFrame:
    columns = dict.fromkeys(name for row in rows for name in row)
    frame = pl.DataFrame({name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in columns})
    places = pl.format("f:{}", pl.int_range(pl.len())).alias(SOURCE)
    return pl.concat(merge_assets(Rows.of(frame.with_columns(places)), NAMESPACE).pieces(2)).sort(ORDER)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"hostname": "web01"}, {"hostname": "WEB01"}),
        ({"hostname": "web01"}, {"hostname": "web01.corp.example"}),
        ({"hostname": "web01"}, {"hostname": "CORP\\WEB01"}),
        ({"hostname": "web01"}, {"fqdn": "Web01.corp.example."}),
        ({"hostname": "web01"}, {"vm_name": "WEB01"}),
        ({"hostname": "old", "serial_number": "CZJ0230K9Q"}, {"hostname": "new", "serial_number": "czj0230k9q"}),
        ({"hostname": "old", "uuid": A}, {"hostname": "new", "uuid": A.upper()}),
        ({"hostname": "a", "uuid": A}, {"hostname": "b", "uuid": "{" + A.replace("-", "") + "}"}),
        ({"hostname": "a", "uuid": A}, {"hostname": "b", "uuid": A_SWAPPED}),
        ({"asset_id": "SRV-1"}, {"asset_id": "srv-1"}),
        ({"hostname": "web01", "fqdn": "web01.a.example"}, {"hostname": "web01", "fqdn": "web01.b.example"}),
        ({"hostname": "web01", "uuid": A}, {"hostname": "web01", "uuid": B}),
    ],
)
def test_the_same_machine_is_one_asset(one: Row, other: Row) -> None:
    assets = merged(one, other)
    assert assets["source_rows"].to_list() == ["f:0; f:1"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"hostname": "web01"}, {"hostname": "web02"}),
        ({"hostname": "a", "uuid": A, "fqdn": "a.x.example"}, {"hostname": "a", "uuid": B, "fqdn": "a.y.example"}),
        ({"vm_name": "v1", "uuid": A, "fqdn": "t.x.example"}, {"vm_name": "v2", "uuid": B, "fqdn": "t.x.example"}),
        ({"hostname": "a", "uuid": A, "serial_number": "CZJ1"}, {"hostname": "b", "uuid": B, "serial_number": "CZJ1"}),
        ({"hostname": "a", "uuid": "0" * 32}, {"hostname": "b", "uuid": "0" * 32}),
        ({"hostname": "10.0.0.1"}, {"hostname": "10.0.0.2"}),
        *(
            ({"hostname": "a", "serial_number": serial}, {"hostname": "b", "serial_number": serial})
            for serial in ("0", "None", "To be filled by O.E.M.", "VMware-", "VMware, Inc.", "System Serial Number",
                           "Default string", "xxxxxxxx", "Not Specified", "1234567890")
        ),
    ],
)  # fmt: skip
def test_different_machines_stay_different(one: Row, other: Row) -> None:
    assert merged(one, other).height == 2


def test_machines_are_joined_through_others() -> None:
    rows = [{"hostname": "a", "uuid": A}, {"hostname": "b", "uuid": A},
            {"hostname": "b", "serial_number": "CZJ0230K9Q"},
            {"hostname": "z", "serial_number": "CZJ0230K9Q"}, {"hostname": "other"}]  # fmt: skip
    assert merged(*rows)["source_rows"].to_list() == ["f:0; f:1; f:2; f:3", "f:4"]


def test_a_serial_number_on_many_differently_named_rows_is_a_chassis() -> None:
    assert merged(*({"hostname": f"blade{n}", "serial_number": "CHS-77123"} for n in range(10))).height == 10


def test_a_row_that_could_be_either_of_two_machines_joins_neither() -> None:
    either = {"hostname": "a"}
    assets = merged({"uuid": A, "fqdn": "a.x.example"}, {"uuid": B, "fqdn": "a.y.example"}, either, either)
    assert assets["source_rows"].to_list() == ["f:0", "f:1", "f:2; f:3"]


def test_the_fullest_row_wins_and_others_fill_its_gaps() -> None:
    assets = merged(
        {"hostname": "a", "datacenter": "one", "department": "HR"},
        {"hostname": "a", "datacenter": "two", "location": "Oslo", "company": "X"},
    )
    assert assets.select("datacenter", "location", "department").row(0) == ("two", "Oslo", "HR")
    assert assets["source_rows"][0] == "f:0; f:1"


def test_lists_are_united() -> None:
    assets = merged({"hostname": "a", "dependencies": "db1; db2"}, {"hostname": "a", "dependencies": "db2; db3"})
    assert assets["dependencies"].to_list() == ["db1; db2; db3"]


def test_a_name_is_split_into_host_and_domain() -> None:
    assets = merged({"hostname": "WEB01.Corp.Example"})
    assert assets.select("hostname", "fqdn", "domain", "name").row(0) == (
        "web01",
        "web01.corp.example",
        "corp.example",
        "web01",
    )


def test_an_address_in_place_of_a_name_stays_whole() -> None:
    assert merged({"hostname": "10.0.0.1"}).select("hostname", "fqdn", "name").row(0) == ("10.0.0.1", None, "10.0.0.1")


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"vm_name": "Old VM", "asset_id": "1"}, "Old VM"),
        ({"asset_id": "SRV-1"}, "SRV-1"),
        ({"serial_number": "0"}, "0"),
    ],
)
def test_an_asset_is_named_by_what_it_has(row: Row, name: str) -> None:
    assert merged(row)["name"].to_list() == [name]


def test_a_uid_is_the_same_for_the_same_machine_in_another_file() -> None:
    alone = merged({"hostname": "a", "uuid": A, "serial_number": "CZJ0230K9Q"})
    other = merged({"hostname": "x"}, {"hostname": "renamed", "uuid": A_SWAPPED})
    assert alone["asset_uid"][0] == other["asset_uid"][1]


def test_assets_come_piece_by_piece_in_the_order_of_their_uids() -> None:
    frame = pl.DataFrame({"hostname": [f"web{number}" for number in range(40)]})
    rows = Rows.of(frame.with_columns(pl.format("f:{}", pl.int_range(pl.len())).alias(SOURCE)))
    uids = [piece["asset_uid"].to_list() for piece in merge_assets(rows, NAMESPACE).pieces(7)]
    assert [len(piece) for piece in uids] == [7, 7, 7, 7, 7, 5]
    assert [uid for piece in uids for uid in piece] == sorted(
        str(uuid5(NAMESPACE, f"name:web{number}")) for number in range(40)
    )


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(), min_size=1), st.uuids())
def test_uids_are_version_5_uuids(names: list[str], namespace: UUID) -> None:
    expected = [str(uuid5(namespace, name)) for name in names]
    assert name_based_uuids(namespace, pl.Series(names)).to_list() == expected


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "uuid": st.sampled_from([None, A, A_SWAPPED, B, "0" * 32, "junk"]),
            "serial_number": st.sampled_from([None, "CZJ0001", "CZJ0002", "0", "none"]),
            "fqdn": st.sampled_from([None, "a.x.example", "a.y.example", "b.x.example"]),
            "hostname": st.sampled_from([None, "a", "b", "c", "10.0.0.1", "d|"]),
            "vm_name": st.sampled_from([None, "a", "vm1", "vm2", "vm3", "vm4", "vm5"]),
            "asset_id": st.sampled_from(["1", "2", "3"]),
        }
    ),
    min_size=1,
    max_size=14,
)


@settings(deadline=None, max_examples=40)
@given(ROWS, st.randoms(use_true_random=False))
def test_no_row_vanishes_uids_are_unique_and_order_does_not_matter(rows: list[Row], shuffle: random.Random) -> None:
    assets = merged(*rows)
    assert sorted(";".join(assets["source_rows"]).replace(" ", "").split(";")) == sorted(
        f"f:{n}" for n in range(len(rows))
    )
    assert assets["asset_uid"].is_unique().all()
    assert assets["name"].null_count() == 0
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    assert set(merged(*shuffled)["asset_uid"]) == set(assets["asset_uid"])
