"""Rows that are probably the same machine though they share no key, and rows that only look like it."""

import polars as pl
import pytest

from services.field_mapping.linkage import SAME
from services.field_mapping.machine_names import blurred_names, compare_names, maybe_misspelled
from tests.field_mapping.machine_rows import OTHERS, SIZE, Row, merge

IP: Row = {"ip_address": "10.9.0.1"}


def joined(one: Row, other: Row) -> bool:
    return "; " in merge({"table": "vcenter", **one}, {"table": "cmdb", **other}, *OTHERS).assets["source_rows"][0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"hostname": "payroll-db01", **IP}, {"hostname": "payrlol-db01", **IP}),
        ({"hostname": "payroll-db01"}, {"hostname": "PAYROLL_DB1"}),
        ({"hostname": "payroll-db01"}, {"hostname": "payroll-dbO1"}),
        ({"hostname": "payroll-db01", **IP}, {"asset_id": "CI7", **IP}),
        ({"hostname": "payroll-db01", "mac_address": "aa:bb:cc:00:00:01", **IP},
         {"hostname": "oldname", "mac_address": "aa:bb:cc:00:00:01", **IP}),
    ],
)  # fmt: skip
def test_rows_that_agree_in_enough_are_one_machine(one: Row, other: Row) -> None:
    assert joined({**SIZE, **one}, {**SIZE, **other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"hostname": "payroll-db01"}, {"hostname": "payroll-db02"}),
        ({"hostname": "payroll-db01", **IP}, {"hostname": "payroll-db02", **IP}),
        ({"hostname": "payrollp-db01"}, {"hostname": "payrollt-db01"}),
        ({"hostname": "payroll-db01", "serial_number": "CZJ1"}, {"hostname": "payrlol-db01", "serial_number": "CZJ2"}),
        ({"vm_name": "Payroll DB"}, {"hostname": "payroll-db01"}),
        ({"hostname": "10.9.0.1"}, {"hostname": "10.9.0.2"}),
    ],
)  # fmt: skip
def test_near_twins_stay_different(one: Row, other: Row) -> None:
    assert not joined({**SIZE, **one}, {**SIZE, **other})


def test_what_is_neither_sure_nor_unlikely_is_asked_with_its_evidence() -> None:
    one = {"table": "vcenter", **SIZE, "hostname": "payroll-db01", **IP}
    other = {"table": "cmdb", **SIZE, "hostname": "finance", **IP, "storage_gb": None}
    merged = merge(one, other, *OTHERS)
    assert merged.doubtful.height == 1
    doubtful = merged.doubtful.row(0, named=True)
    assert {doubtful["name"], doubtful["other_name"]} == {"payroll-db01", "finance"}
    assert {doubtful["asset_uid"], doubtful["other_uid"]} == set(merged.assets["asset_uid"][:2])
    assert 0.5 <= doubtful["probability"] < SAME
    assert doubtful["evidence"].startswith("different names: ")
    assert "same ip_address 10.9.0.1" in doubtful["evidence"]
    assert "storage_gb" not in doubtful["evidence"]


def test_an_address_that_many_machines_share_joins_none() -> None:
    rows = [{**SIZE, "hostname": f"node-{name}", "ip_address": "192.168.1.1"} for name in "abcdefghijklmnop"]
    assert merge(*rows, *OTHERS).assets.height == len(rows) + len(OTHERS)


@pytest.mark.parametrize(
    ("one", "other", "relation"),
    [
        ("web01", "web01", "same name"),
        ("web-01", "web1", "names spelled differently"),
        ("webO1", "web01", "names spelled differently"),
        ("payroll01", "payrlol01", "names differ by a typing error"),
        ("payroll01", "payrol01", "names differ by a typing error"),
        ("payrollp01", "payrollt01", "names differ by one letter"),
        ("web01", "web02", "names with different numbers"),
        ("web01", "srv77", "different names"),
        ("ab1", "ba1", "different names"),
        ("Payroll database", "payroll01", "no names to compare"),
        ("web01", None, "no names to compare"),
    ],
)
def test_names_are_compared_the_way_they_are_misspelled(one: str, other: str | None, relation: str) -> None:
    names = (pl.Series([one], dtype=pl.String), pl.Series([other], dtype=pl.String))
    assert compare_names(*names).to_list() == [relation]


@pytest.mark.parametrize(("one", "other"), [("web-01", "WEB_1"), ("web-O1", "web01"), ("payroll1", "payrlol1")])
def test_what_is_misspelled_is_found_by_the_blurred_names(one: str, other: str) -> None:
    blurred = blurred_names(pl.Series([one.lower(), other.lower()]))
    assert maybe_misspelled(*blurred)
