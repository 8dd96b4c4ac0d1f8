"""An engagement that seals its inventory: nobody who has the database finds a host name or an address in it."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from contracts.envelope import Tenant
from services.chassis.encryption import CannotOpen
from services.chassis.migrations import admin_url
from services.chassis.testing import eventually
from services.gateway.blob_keys import wrap_data_keys
from tests.e2e.platform import Platform
from tests.e2e.rest import Json, RestClient
from tests.e2e.sealed_estate import ADDRESSES, DOMAIN, MACS, NAMES, SECRETS, connections, found, inventory


async def switch(client: RestClient, *, on: bool) -> None:
    """Ask for a sealed inventory, or not any more, and wait until it is so."""
    body = {"value": on, "reason": "a test"}
    assert (await client.answer("PUT", "/configuration/sealed_inventory", json=body)).is_success

    async def done() -> bool:
        view = await client.get("/inventory-sealing")
        return bool(view["done"] and view["sealed"] is on and {"gateway", "field_mapping"} <= services(view))

    await eventually(done, 60)


def services(view: Json) -> set[str]:
    """Those that have told how far they are."""
    return {each["service"] for each in view["services"]}


async def look(platform: Platform) -> None:
    """Have every service look at once for what is to be sealed or opened."""
    await platform.settled()
    for runtime in platform.runtimes.values():
        await runtime.inventory_sealing.look()
    await platform.settled()


async def imported(client: RestClient, content: bytes) -> str:
    """A discovery of an export and of its connections, with assessment and planning; its id."""
    ids = [await client.upload(content, "servers.csv"), await client.upload(connections(), "connections.csv")]
    flow_id = await client.start(ids)
    followed = await client.follow(flow_id)
    assert followed.last["status"] == "completed", followed.last
    return flow_id


async def told(platform: Platform, client: RestClient) -> dict[str, Any]:
    """All that REST tells of an inventory, by name where that is stable."""
    await platform.settled()
    paths = ("/rejected-rows", "/cell-problems", "/applications", "/dependencies", "/asset-changes", "/duplicates")
    return {
        "assets": {
            each["name"]: {name: each[name] for name in ("ip_address", "attributes", "source_rows")}
            for each in await client.every("/assets")
        },
        **{
            path: sorted(
                str({name: value for name, value in each.items() if not name.endswith(("_uid", "flow_id", "_id"))})
                for each in await client.every(path)
            )
            for path in paths
        },
        "treatments": {each["name"]: each["strategy"] for each in await client.every("/treatments")},
        "waves": [each["application_names"] for each in await client.every("/waves")],
    }


async def test_a_superuser_finds_no_name_or_address_of_an_engagement_that_seals_its_inventory(
    embedded: Platform,
) -> None:
    sealing, tenant = await embedded.client.in_new_tenant()
    plain, other = await embedded.client.in_new_tenant()
    await sealing.answer("PUT", "/configuration/sealed_inventory", json={"value": True, "reason": "a test"})
    await embedded.settled()

    for client in (sealing, plain):
        await imported(client, inventory())
        await embedded.settled()
        asset = (await client.get("/assets", name=NAMES[0]))["items"][0]
        await client.answer("GET", f"/assets/{asset['asset_uid']}/origin")
        await client.answer("GET", "/quality")
        await embedded.settled()
        await imported(client, inventory(cores=8, addresses=[each.replace(".31.", ".32.") for each in ADDRESSES]))
    await embedded.settled()
    answers = [await asked_of_agents(embedded, client) for client in (sealing, plain)]
    assert answers[0] == answers[1]

    secrets = [*SECRETS, *(each.replace(".31.", ".32.") for each in ADDRESSES)]
    assert await found(embedded.settings, tenant, secrets) == {}
    everywhere = await found(embedded.settings, other, secrets)
    assert {"gateway.assets", "field_mapping.assets", "audit.entries"} <= everywhere.keys()
    assert {"gateway.agent_tasks", "gateway.agent_schedules"} <= everywhere.keys()
    assert {"flow_orchestrator.flow_journal", "gateway.waves", "gateway.rejected_rows"} <= everywhere.keys()
    assert await told(embedded, sealing) == await told(embedded, plain)


async def asked_of_agents(platform: Platform, client: RestClient) -> Any:
    """What an agent says of host names to a task, and to one of later, which is cancelled and tried again."""
    asked = {"inputs": {"names": NAMES}}
    scheduled = {"name": "nightly", "cron": "0 0 1 1 *", "agent": "pattern_recognition"}
    schedule = (await client.answer("POST", "/agent-schedules", json=asked | scheduled)).json()
    now = (await client.answer("POST", "/agents/pattern_recognition/tasks", json=asked)).json()
    body = asked | {"start_at": "2099-01-01T00:00:00Z"}
    later = (await client.answer("POST", "/agents/pattern_recognition/tasks", json=body)).json()
    await client.answer("POST", f"/agent-tasks/{later['task_id']}/cancel")
    await client.answer("POST", f"/agent-tasks/{later['task_id']}/retry")

    async def done() -> bool:
        tasks = [await client.get(f"/agent-tasks/{each['task_id']}") for each in (now, later)]
        return all(task["status"] == "completed" for task in tasks)

    await eventually(done)
    tasks = [await client.get(f"/agent-tasks/{each['task_id']}") for each in (now, later)]
    assert [task["inputs"] for task in tasks] == [asked["inputs"]] * 2
    assert NAMES[0] in str(tasks[0]["result"]["output"])
    assert (await client.get(f"/agent-schedules/{schedule['schedule_id']}"))["inputs"] == asked["inputs"]
    await platform.settled()
    return [(task["result"]["output"], task["result"]["rationale"]) for task in tasks]


def asset_uid_of(assets: Sequence[Json], name: str) -> str:
    """The uid of the asset of that name."""
    (uid,) = [each["asset_uid"] for each in assets if each["name"] == name]
    return str(uid)


async def test_sealed_assets_are_found_by_whole_names_and_addresses_and_never_by_parts(embedded: Platform) -> None:
    client, _ = await embedded.client.in_new_tenant()
    await client.answer("PUT", "/configuration/sealed_inventory", json={"value": True, "reason": "a test"})
    await embedded.settled()
    flow_id = await imported(client, inventory())
    await embedded.settled()

    for asked in (
        {"name": NAMES[2]}, {"name": NAMES[2].upper()}, {"name": f"{NAMES[2]}.{DOMAIN}."},
        {"address": ADDRESSES[2]}, {"address": MACS[2].upper().replace(":", "-")},
    ):  # fmt: skip
        (asset,) = (await client.get("/assets", **asked))["items"]
        assert (asset["name"], asset["ip_address"], asset["attributes"]["fqdn"]) == (
            NAMES[2],
            ADDRESSES[2],
            f"{NAMES[2]}.{DOMAIN}",
        )
    assert (await client.get("/assets", name="zqhost"))["items"] == []
    assert (await client.get("/assets", address="10.77.31"))["items"] == []
    assert (await client.get("/assets", missing="ip_address"))["items"] == []
    for path in ("/assets", "/applications"):
        problem = await client.refusal("GET", path, params={"q": "zqhost"})
        assert (problem["status"], problem["code"]) == (422, "names_are_sealed")
    assert len((await client.get("/applications", q="shop", inferred=False))["items"]) == 2
    part, whole = [await client.get("/flows/search", q=each) for each in ("zqhost0", NAMES[1])]
    assert (part["items"], part["complete"]) == ([], False)
    assert [each["flow"]["flow_id"] for each in whole["items"]] == [flow_id]


async def test_switching_it_on_seals_what_is_there_and_switching_it_off_opens_it_again(embedded: Platform) -> None:
    client, tenant = await embedded.client.in_new_tenant()
    await imported(client, inventory())
    before = await told(embedded, client)

    await switch(client, on=True)
    await look(embedded)
    # The log of what was said before cannot be changed, which is what it is for.
    assert await found(embedded.settings, tenant) == {"audit.entries": set(SECRETS) & await logged(embedded, tenant)}
    assert await told(embedded, client) == before

    await switch(client, on=False)
    await look(embedded)
    assert {"gateway.assets", "field_mapping.assets"} <= (await found(embedded.settings, tenant)).keys()
    for service in ("gateway", "field_mapping"):
        rows = await embedded.rows(service, f"select count(sealed) from {service}.assets", tenant)
        assert rows[0]["count"] == 0
    assert await told(embedded, client) == before


async def logged(platform: Platform, tenant: Tenant) -> set[str]:
    """What the audit log of a tenant quotes."""
    return (await found(platform.settings, tenant)).get("audit.entries", set())


async def test_two_engagements_with_one_host_name_have_different_blind_indexes(embedded: Platform) -> None:
    digests = []
    for _ in range(2):
        client, tenant = await embedded.client.in_new_tenant()
        await client.answer("PUT", "/configuration/sealed_inventory", json={"value": True, "reason": "a test"})
        await embedded.settled()
        await imported(client, inventory())
        await embedded.settled()
        rows = await embedded.rows("gateway", "select unnest(found_by) digest from gateway.assets", tenant)
        digests.append({row["digest"] for row in rows})
    assert digests[0]
    assert not digests[0] & digests[1]


async def test_a_ciphertext_in_another_row_or_tenant_does_not_open_and_says_where_it_lies(embedded: Platform) -> None:
    places = []
    for _ in range(2):
        client, tenant = await embedded.client.in_new_tenant()
        await client.answer("PUT", "/configuration/sealed_inventory", json={"value": True, "reason": "a test"})
        await embedded.settled()
        await imported(client, inventory())
        await embedded.settled()
        places.append((client, tenant, [each["asset_uid"] for each in await client.every("/assets")]))
    (client, tenant, (first, second, *_)), (_, stranger, (foreign, *_)) = places
    engine = create_async_engine(admin_url(embedded.settings))

    async def moved(to_uid: str, from_uid: str, from_tenant: Tenant, table: str = "gateway.assets") -> None:
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    f"update gateway.assets set sealed = (select sealed from {table} where asset_uid = :source"
                    " and client_account_id = :owner limit 1) where asset_uid = :target and client_account_id = :client"
                ),
                {
                    "source": from_uid,
                    "owner": from_tenant.client_account_id,
                    "target": to_uid,
                    "client": tenant.client_account_id,
                },
            )

    for uid, owner, table in (
        (second, tenant, "gateway.assets"),
        (foreign, stranger, "gateway.assets"),
        (first, tenant, "field_mapping.assets"),
    ):
        await moved(first, uid, owner, table)
        refused = await client.answer("GET", "/assets")
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (500, "sealed_value_refused")
        assert first in problem["detail"]
        assert "gateway.assets.sealed" in problem["detail"]
        assert str(tenant.client_account_id) in problem["detail"]
    await engine.dispose()


async def test_a_ciphertext_of_the_database_opens_under_no_other_purpose(embedded: Platform) -> None:
    vault = embedded.runtimes["gateway"].vault
    tenant = Tenant(client_account_id=uuid4(), engagement_id=uuid4())
    sealed = vault.seal(tenant, "gateway.assets.sealed", "row", b"{}")
    with pytest.raises(CannotOpen):
        vault.open(tenant, "field_mapping.assets.sealed", "row", sealed)


async def test_the_root_key_that_an_inventory_was_sealed_with_can_be_removed_after_a_rotation(
    embedded: Platform,
) -> None:
    client, tenant = await embedded.client.in_new_tenant()
    await client.answer("PUT", "/configuration/sealed_inventory", json={"value": True, "reason": "a test"})
    await embedded.settled()
    await imported(client, inventory())
    before = await told(embedded, client)

    assert (await embedded.client.answer("POST", "/encryption/rotations", json={"from_version": 1})).is_success
    for runtime in embedded.runtimes.values():
        await runtime.resealing.look()
    await wrap_data_keys(embedded.runtimes["gateway"])
    await embedded.settled()
    view = await embedded.client.get("/encryption")
    assert (view["done"], view["removable"]) == (True, [1]), view
    (embedded.settings.data_dir / "encryption_keys" / "1").unlink()
    for runtime in embedded.runtimes.values():
        runtime.vault.load()

    assert await told(embedded, client) == before
    (asset,) = (await client.get("/assets", name=NAMES[3]))["items"]
    assert asset["ip_address"] == ADDRESSES[3]
    uid, path = asset["asset_uid"], f"/assets/{asset['asset_uid']}/origin"

    async def explained() -> bool:
        return bool((await client.get(path))["status"] == "told")

    await client.answer("GET", path)
    await eventually(explained)
    # What is imported next is compared with what is stored sealed: the machines keep their uids.
    await imported(client, inventory(cores=8))
    await embedded.settled()
    assert asset_uid_of(await client.every("/assets"), NAMES[3]) == uid
    assert {each["change"] for each in await client.every("/asset-changes")} == {"changed"}
    assert await found(embedded.settings, tenant) == {}
