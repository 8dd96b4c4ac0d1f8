"""In an engagement that seals its inventory machines are split and joined as in any other, and no row gets lost."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from services.chassis.testing import eventually
from tests.e2e.platform import Platform
from tests.e2e.rest import Json, RestClient
from tests.e2e.sealed_estate import ADDRESSES, NAMES, SECRETS, found

HEADER = ("Hostname", "IP Address", "Operating System", "CPU Cores", "Memory (GB)", "Disk (GB)")
SYSTEMS = ("Ubuntu 22.04", "RHEL 8", "Windows Server 2019", "AIX 7.2")


def sized(number: int) -> tuple[str, ...]:
    """What tells machines apart beside name and address."""
    return SYSTEMS[number % 4], f"{(2, 4, 8)[number % 3]}", f"{(4, 8, 16, 32, 64)[number % 5]}", f"{100 + 37 * number}"


# One name for two machines, one machine under two names that share its address, and a row that names nothing.
CMDB = [
    (NAMES[0], ADDRESSES[0], *sized(0)),
    (NAMES[0], ADDRESSES[1], *sized(1)),
    *((NAMES[number], ADDRESSES[number], *sized(number)) for number in range(2, 6)),
    ("", "", *sized(6)),
]
VCENTER = [("zqnote", ADDRESSES[4], *sized(4))]
ROWS = Counter([f"cmdb.csv:{row}" for row in range(2, 2 + len(CMDB))] + ["vcenter.csv:2"])


def written(rows: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([HEADER, *rows])
    return file.getvalue().encode()


async def imported(platform: Platform, client: RestClient) -> str:
    """A discovery of both exports; its id."""
    ids = [await client.upload(written(CMDB), "cmdb.csv"), await client.upload(written(VCENTER), "vcenter.csv")]
    flow_id = await client.start(ids, then=())
    followed = await client.follow(flow_id, until="discovery")
    assert followed.last["status"] == "completed", followed.last
    await platform.settled()
    return flow_id


async def shown(client: RestClient) -> list[tuple[str, str, Any]]:
    """The assets by name, rows and address, after a check that every row of the files is in one or was rejected."""
    assets = await client.every("/assets")
    rejected = await client.every("/rejected-rows")
    kept = Counter(row for asset in assets for row in asset["source_rows"].split("; "))
    assert kept + Counter(f"{row['file_name']}:{row['row']}" for row in rejected) == ROWS
    return sorted((asset["name"], asset["source_rows"], asset["ip_address"]) for asset in assets)


async def split(platform: Platform, client: RestClient) -> None:
    (asset,) = [each for each in await client.every("/assets") if each["name"] == NAMES[0]]
    assert asset["source_rows"] == "cmdb.csv:2; cmdb.csv:3"
    await client.answer("POST", f"/assets/{asset['asset_uid']}/split", json={"source_rows": ["cmdb.csv:3"]})

    async def done() -> bool:
        return len([each for each in await client.every("/assets") if each["name"] == NAMES[0]]) == 2

    await eventually(done)
    await platform.settled()


async def origin(client: RestClient, asset: Json) -> list[Any]:
    """The cells that an asset's values come from, as they are told once they were looked up."""
    path = f"/assets/{asset['asset_uid']}/origin"

    async def told() -> bool:
        return bool((await client.get(path))["status"] == "told")

    await eventually(told)
    return [(each["field"], each["value"]) for each in (await client.get(path))["fields"]]


async def test_a_split_and_a_decision_hold_in_a_sealed_inventory_as_in_a_plain_one(embedded: Platform) -> None:
    sealing, tenant = await embedded.client.in_new_tenant()
    plain, _ = await embedded.client.in_new_tenant()
    await sealing.answer("PUT", "/configuration/sealed_inventory", json={"value": True, "reason": "a test"})
    await embedded.settled()
    seen: list[list[Any]] = []
    for client in (sealing, plain):
        await imported(embedded, client)
        steps: list[Any] = [await shown(client)]
        await split(embedded, client)
        steps.append(await shown(client))
        steps += [await origin(client, each) for each in await client.every("/assets") if each["name"] == NAMES[0]]
        (pair,) = await client.every("/duplicates")
        path = f"/duplicates/{pair['asset_uid']}/{pair['other_uid']}/decide"
        assert (await client.answer("POST", path, json={"same": True})).is_success
        await embedded.settled()
        await imported(embedded, client)
        steps.append(await shown(client))
        seen.append(steps)
    assert sorted(map(str, seen[0])) == sorted(map(str, seen[1]))
    before, after, again = seen[1][0], seen[1][1], seen[1][-1]
    assert len(before) == 6
    assert len(after) == 7
    # Split into two for good, and the other two are one machine now.
    assert len(again) == 6
    assert [rows for name, rows, _ in again if name == NAMES[0]] == ["cmdb.csv:2", "cmdb.csv:3"]
    assert [rows for _, rows, _ in again if "; " in rows] == ["cmdb.csv:6; vcenter.csv:2"]
    assert await found(embedded.settings, tenant, SECRETS) == {}
