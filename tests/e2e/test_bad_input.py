"""Bad input through the whole platform: a clear problem with its place, nothing half-written, nothing lost."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import orjson
import pytest

from contracts.envelope import PLATFORM, Tenant, uuid7
from services.chassis.bus.transport import EVENTS, Delivery
from services.chassis.testing import TestPostgres, eventually
from tests.e2e.bad_files import BAD_FILES, BadFile
from tests.e2e.estate import INVENTORY, SERVERS, clean_inventory
from tests.e2e.main_job import a_platform_on
from tests.e2e.platform import Platform
from tests.e2e.rest import Json, RestClient

# Above the widest of the files, so that the reader refuses that one and not the gateway.
UPLOAD_LIMIT = 24 * 1024**2
JSON_LIMIT = 1024**2

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
async def shared(postgres: TestPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """One platform for all bad input: each test is also a check that it is well after the one before."""
    folder = tmp_path_factory.mktemp("bad_input")
    async with a_platform_on(None, postgres, folder, upload_limit_bytes=UPLOAD_LIMIT) as platform:
        yield platform


async def assert_well(platform: Platform) -> None:
    """Nothing hangs, and a good file goes through."""
    await platform.settled()
    for runtime in platform.runtimes.values():
        await runtime.ready()
    client, _ = await platform.client.in_new_tenant()
    flow = await client.ended(await client.start([await client.upload(clean_inventory(), INVENTORY)], then=[]))
    assert flow["status"] == "completed", flow["problem"]
    await platform.settled()
    assert len(await client.every("/assets")) == SERVERS


async def assert_nothing_written(platform: Platform, client: RestClient, tenant: Tenant) -> None:
    """No asset of the tenant is anywhere."""
    await platform.settled()
    for table in ("field_mapping.assets", "gateway.assets"):
        assert await platform.rows(table.partition(".")[0], f"select * from {table}", tenant) == []
    assert await client.every("/dead-letters") == []


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.name)
async def test_a_bad_file_fails_its_flow_with_problem_and_place(bad: BadFile, shared: Platform) -> None:
    client, tenant = await shared.client.in_new_tenant()
    good = await client.upload(clean_inventory(), INVENTORY)

    # The good file beside it shows that nothing is half-written.
    ids = [await client.upload(bad.content(), bad.name)] + ([good] if bad.code not in WHOLE_FLOW else [])
    ended = await client.follow(await client.start(ids), until="discovery")

    flow = ended.last
    problem = flow["problem"]
    assert flow["status"] == "failed", flow
    assert problem["code"] == bad.code, problem
    assert problem["row"] == bad.row, problem
    assert bad.says in problem["detail"], problem
    assert bad.name in (problem["file_name"] or problem["detail"])
    assert flow["waits_for"] is None
    assert [phase["status"] for phase in flow["phases"]].count("failed") == 1
    await assert_nothing_written(shared, client, tenant)
    imports = {each["file_name"] for each in await client.every("/imports")}
    assert bad.name in imports, "the upload itself is kept"


# Problems of all files together, which one good file would solve.
WHOLE_FLOW = {"nothing_mapped", "no_assets"}


async def test_an_empty_upload_is_refused(shared: Platform) -> None:
    client, _ = await shared.client.in_new_tenant()

    problem = await client.refusal("POST", "/imports", params={"file_name": "empty.csv"}, content=b"")

    assert (problem["status"], problem["code"], problem["file_name"]) == (422, "empty_file", "empty.csv")
    assert await client.every("/imports") == []


async def test_an_oversize_upload_is_cut_off_and_not_kept(shared: Platform) -> None:
    client, _ = await shared.client.in_new_tenant()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(UPLOAD_LIMIT // 1024**2 + 1):
            yield bytes(1024**2)

    problem = await client.refusal("POST", "/imports", params={"file_name": "huge.csv"}, content=chunks())

    assert problem["status"] == 413
    assert f"{UPLOAD_LIMIT:,}" in problem["detail"]
    assert await client.every("/imports") == []
    await assert_well(shared)


async def test_an_oversize_json_body_is_refused(shared: Platform) -> None:
    body = b'{"import_ids": ["' + b"x" * JSON_LIMIT + b'"]}'
    headers = {"content-type": "application/json"}

    problem = await shared.client.refusal("POST", "/flows", content=body, extra_headers=headers)

    assert problem["status"] == 413


@pytest.mark.parametrize(
    "path",
    [
        "/flows/{}",
        "/flows/{}/mappings",
        "/polling/flow-status/{}",
        "/reports/{}/html",
        "/approvals/{}",
        "/dead-letters/{}",
        "/audit/verifications/{}",
    ],
)
async def test_an_unknown_id_is_not_found_and_named(path: str, shared: Platform) -> None:
    unknown = str(uuid4())

    problem = await shared.client.refusal("GET", path.format(unknown))

    assert problem["status"] == 404
    assert unknown in problem["detail"]
    assert problem["trace_id"]


async def test_another_tenants_things_do_not_exist(shared: Platform) -> None:
    owner, _ = await shared.client.in_new_tenant()
    stranger, _ = await shared.client.in_new_tenant()
    import_id = await owner.upload(clean_inventory(), INVENTORY)
    flow_id = await owner.start([import_id], then=[])
    await owner.ended(flow_id)
    await shared.settled()

    for path in (f"/flows/{flow_id}", f"/polling/flow-status/{flow_id}", f"/flows/{flow_id}/mappings"):
        assert (await stranger.refusal("GET", path))["status"] == 404
    started = await stranger.refusal("POST", "/flows", json={"import_ids": [import_id]})
    assert (started["status"], started["code"]) == (404, "import_not_found")
    assert await stranger.every("/assets", flow_id=flow_id) == []
    assert await stranger.every("/flows") == []
    assert len(await owner.every("/assets", flow_id=flow_id)) == SERVERS


async def test_a_tenant_that_does_not_exist_is_refused(shared: Platform) -> None:
    nobody = shared.client.of(Tenant(client_account_id=uuid4(), engagement_id=uuid4()))

    problem = await nobody.refusal("GET", "/flows")

    assert (problem["status"], problem["code"]) == (404, "engagement_not_found")


def event(tenant: Tenant, event_type: str, data: Any) -> Json:
    """A CloudEvent as another service would send it, whatever is in it."""
    return {
        "specversion": "1.0",
        "id": str(uuid7()),
        "source": "/services/somebody",
        "type": event_type,
        "clientaccountid": str(tenant.client_account_id),
        "engagementid": str(tenant.engagement_id),
        "flowid": str(uuid7()),
        "data": data,
    }


async def letters(client: RestClient, count: int) -> dict[str, Json]:
    """The dead letters of a tenant by the service that set them aside, once there are as many as expected."""

    found: list[Json] = []

    async def all_there() -> bool:
        found[:] = await client.every("/dead-letters")
        return len(found) >= count

    await eventually(all_there)
    return {letter["service"]: letter for letter in found}


@pytest.mark.parametrize(
    ("event_type", "routing_key", "data", "code", "says"),
    [
        ("data_import.requested", "data_import.requested", {"files": "all"}, "schema_mismatch", "files"),
        ("data_import.exploded", "data_import.requested", {}, "unknown_event_type", "data_import.exploded"),
        (
            "inventory.requested",
            "data_import.requested",
            {"tables": [], "mappings": []},
            "wrong_queue",
            "not for events",
        ),
    ],
)
async def test_an_event_that_no_schema_fits_is_set_aside_with_the_reason(
    event_type: str, routing_key: str, data: Any, code: str, says: str, shared: Platform
) -> None:
    client, tenant = await shared.client.in_new_tenant()
    message = event(tenant, event_type, data)

    await shared.runtimes["gateway"].transport.publish(EVENTS, routing_key, Delivery(orjson.dumps([message])))

    # The log takes whatever has an envelope of a type that it knows.
    expected = {"field_mapping", "audit"} if code == "unknown_event_type" else {"field_mapping"}
    found = await letters(client, len(expected))
    assert found.keys() == expected
    letter = found["field_mapping"]
    assert (letter["code"], letter["event_id"]) == (code, message["id"])
    assert says in letter["reason"]
    kept = await client.get(f"/dead-letters/{letter['dead_letter_id']}")
    assert kept["message"]["data"] == data
    await shared.settled()


async def test_a_message_that_is_no_json_is_kept_for_the_operators(shared: Platform) -> None:
    platform_client = shared.client.of(PLATFORM)
    before = len(await platform_client.every("/dead-letters"))

    await shared.runtimes["gateway"].transport.publish(EVENTS, "data_import.requested", Delivery(b"\x00\xffnot json"))

    found = await letters(platform_client, before + 2)
    assert {"field_mapping", "audit"} <= found.keys()
    assert found["field_mapping"]["code"] == "not_json"
    await assert_well(shared)
