"""Machines that an engagement knows keep their uid, and what people decided of them holds in the next import."""

from tests.field_mapping.machine_rows import OTHERS, SIZE, known_from, merge

UUID_A = "4210d9a1-6f3e-4b2c-9d55-0f7a3c1d2e11"
SPLIT = "00000000-0000-5000-8000-000000000001"


def test_a_machine_keeps_its_uid_when_a_stronger_key_is_learned() -> None:
    first = merge({"hostname": "web01"})
    again = merge({"hostname": "web01", "uuid": UUID_A}, known=known_from(first.assets))
    assert again.assets["asset_uid"].to_list() == first.assets["asset_uid"].to_list()
    assert merge({"hostname": "web01", "uuid": UUID_A}).assets["asset_uid"][0] != first.assets["asset_uid"][0]


def test_a_known_machine_gives_its_uid_and_none_of_its_values() -> None:
    first = merge({"hostname": "web01", "datacenter": "one", "ip_address": "10.0.0.1"})
    again = merge({"hostname": "web01", "datacenter": None}, known=known_from(first.assets))
    assert again.assets.select("datacenter", "ip_address", "source_rows").row(0) == (None, None, "f:0")


def test_the_same_rows_give_the_same_assets_a_second_time() -> None:
    rows = [{"hostname": "a", "uuid": UUID_A}, {"hostname": "b"}, {"hostname": "a"}, {"asset_id": "7"}]
    first = merge(*rows)
    assert merge(*rows, known=known_from(first.assets)).assets.equals(first.assets)


def test_a_new_machine_with_the_former_name_of_another_is_a_machine_of_its_own() -> None:
    first = merge({"hostname": "old", "asset_id": "1"})
    renamed = first.assets.with_columns(hostname=first.assets["hostname"].str.replace("old", "new"))
    again = merge({"hostname": "old", "asset_id": "2"}, known=known_from(renamed))
    assert again.assets["asset_uid"][0] != first.assets["asset_uid"][0]


def test_machines_that_people_said_are_one_are_merged() -> None:
    first = merge({"hostname": "web01"}, {"hostname": "shop"})
    one, other = first.assets["asset_uid"]
    again = merge({"hostname": "web01"}, {"hostname": "shop"}, known=known_from(first.assets, (one, other, True)))
    assert again.assets["source_rows"].to_list() == ["f:0; f:1"]
    assert again.assets["asset_uid"][0] in (one, other)


def test_machines_that_people_told_apart_stay_apart_though_a_key_joins_them() -> None:
    rows = [{"hostname": "web01", "ip_address": "10.0.0.1"}, {"hostname": "web01", "ip_address": "10.0.0.2"}]
    first = merge(*rows)
    assert first.assets.height == 1
    uid = first.assets["asset_uid"][0]
    apart = merge({"hostname": "web01", "ip_address": "10.0.0.2"}).assets
    both = first.assets.vstack(
        apart.with_columns(asset_uid=apart["asset_uid"].str.replace(".*", SPLIT)).select(first.assets.columns)
    )
    for order in (rows, rows[::-1]):
        again = merge(*order, known=known_from(both, (uid, SPLIT, False))).assets
        assert dict(again.select("ip_address", "asset_uid").iter_rows()) == {"10.0.0.1": uid, "10.0.0.2": SPLIT}


def test_a_pair_that_people_told_apart_is_neither_joined_nor_asked_again() -> None:
    pair = [{**SIZE, "hostname": "payroll-db01"}, {**SIZE, "hostname": "payroll_db1"}]
    assert merge(*pair, *OTHERS).assets.height == 201
    apart = merge(pair[0]).assets.vstack(merge(pair[1]).assets)
    one, other = apart["asset_uid"]
    again = merge(*pair, *OTHERS, known=known_from(apart, (one, other, False)))
    assert again.assets.height == 202
    assert again.doubtful.is_empty()
