"""Sealed rows: what goes in comes out, what is filled stays told, and what finds a row is what people write."""

from typing import Any, cast
from uuid import uuid4

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table

from services.chassis.encryption import CannotOpen, Vault
from services.chassis.sealed_rows import (
    FOUND_BY,
    SEALED,
    found_by,
    opened_rows,
    sealed_frame,
    sealed_rows,
    sealing_of,
    whole_row,
)
from services.chassis.testing import some_tenant
from services.gateway.tables import Application, Asset
from tests.chassis.keys_in_memory import Keys

ASSETS, APPLICATIONS = cast(Table, Asset.__table__), cast(Table, Application.__table__)
VAULT, TENANT = Vault(Keys()), some_tenant()
ATTRIBUTES = st.dictionaries(st.sampled_from(["fqdn", "cost_center", "own_rack", "mac_address"]), st.text(max_size=9))


def row(**values: Any) -> dict[str, Any]:
    """A row of an asset as it is stored plain."""
    plain: dict[str, Any] = {"name": "web01", "ip_address": None, "attributes": {}, "environment": "Production"}
    return {"flow_id": uuid4(), "asset_uid": uuid4(), **plain, **values}


def opened(stored: dict[str, Any], table: Table = ASSETS) -> dict[str, Any]:
    """The row that was stored."""
    how = sealing_of(table)
    assert how is not None
    (secret,) = opened_rows(VAULT, TENANT, table, [(stored, stored[SEALED])])
    return whole_row(how, stored, secret)


@given(name=st.text(), ip_address=st.none() | st.text(), attributes=ATTRIBUTES)
def test_a_row_comes_back_as_it_was_and_tells_only_what_is_filled(
    name: str, ip_address: str | None, attributes: dict[str, str]
) -> None:
    plain = row(name=name, ip_address=ip_address, attributes=attributes)
    (stored,) = sealed_rows(VAULT, TENANT, ASSETS, [plain])
    assert opened(stored) == plain
    assert stored["name"] == ""
    assert (stored["ip_address"] is None) == (ip_address is None)
    assert stored["attributes"].keys() == attributes.keys()
    open_ones = {key: value for key, value in stored["attributes"].items() if value}
    assert open_ones.items() <= {("cost_center", attributes.get("cost_center"))}


def test_of_a_table_with_a_condition_only_those_rows_are_sealed() -> None:
    rows = [{"flow_id": uuid4(), "application_uid": uuid4(), "name": name, "inferred": name == "web01"}
            for name in ("Shop", "web01")]  # fmt: skip
    shop, machine = sealed_rows(VAULT, TENANT, APPLICATIONS, rows)
    assert shop == rows[0]
    assert (machine["name"], opened(machine, APPLICATIONS)["name"]) == ("", "web01")


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("name", "WEB01"), ("name", "web01.corp.example."), ("name", " Web01.corp.example"),
        ("address", "10.0.0.7"), ("address", "10.0.0.8"), ("address", "2001:DB8:0:0::1"),
        ("address", "00-50-56-aa-bb-cc"), ("address", "0050.56AA.BBCC"),
    ],
)  # fmt: skip
def test_a_row_is_found_by_what_people_write(kind: str, asked: str) -> None:
    attributes = {"fqdn": "web01.corp.example", "mac_address": "00:50:56:aa:bb:cc"}
    (stored,) = sealed_rows(
        VAULT, TENANT, ASSETS, [row(ip_address="10.0.0.7; 10.0.0.8; 2001:db8::1", attributes=attributes)]
    )
    assert set(found_by(VAULT, TENANT, ASSETS, kind, asked)) & set(stored[FOUND_BY])


def test_digests_tell_tenants_kinds_and_parts_apart() -> None:
    (stored,) = sealed_rows(VAULT, TENANT, ASSETS, [row(name="10.0.0.7")])
    mine = set(stored[FOUND_BY])
    assert mine & set(found_by(VAULT, TENANT, ASSETS, "name", "10.0.0.7"))
    for others in (
        found_by(VAULT, some_tenant(), ASSETS, "name", "10.0.0.7"),
        found_by(VAULT, TENANT, ASSETS, "address", "10.0.0.7"),
        found_by(VAULT, TENANT, ASSETS, "name", "10.0.0"),
        found_by(Vault(Keys(b"z" * 32)), TENANT, ASSETS, "name", "10.0.0.7"),
    ):
        assert not mine & set(others)


def test_a_document_does_not_open_in_another_row_and_names_the_place() -> None:
    one, other = sealed_rows(VAULT, TENANT, ASSETS, [row(), row()])
    with pytest.raises(CannotOpen, match=str(other["asset_uid"])):
        opened_rows(VAULT, TENANT, ASSETS, [(other, one[SEALED])])


def test_a_frame_is_sealed_as_its_rows_are() -> None:
    flow_id, uid = uuid4(), uuid4()
    attributes = {"fqdn": "web01.corp.example", "cost_center": "7"}
    frame = pl.DataFrame(
        {"asset_uid": [str(uid)], "name": ["web01"], "ip_address": ["10.0.0.7"], "environment": ["Test"],
         "attributes": [orjson.dumps(attributes).decode()]}
    )  # fmt: skip
    (stored,) = sealed_frame(VAULT, TENANT, ASSETS, frame, {"flow_id": flow_id}).iter_rows(named=True)
    sealed = bytes.fromhex(stored[SEALED].removeprefix("\\x"))
    (secret,) = opened_rows(VAULT, TENANT, ASSETS, [({"flow_id": flow_id, "asset_uid": uid}, sealed)])
    assert secret == {"name": "web01", "ip_address": "10.0.0.7", "attributes": {"fqdn": "web01.corp.example"}}
    assert (stored["name"], stored["ip_address"], stored["environment"]) == ("", "", "Test")
    assert orjson.loads(stored["attributes"]) == {"fqdn": "", "cost_center": "7"}
    assert set(found_by(VAULT, TENANT, ASSETS, "address", "10.0.0.7")) <= set(stored[FOUND_BY].strip("{}").split(","))
