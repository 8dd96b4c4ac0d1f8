"""Two tenants of a running platform, each with things of every kind whose texts carry the tenant's own marker."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2

from services.chassis.testing import eventually

_NIL = str(UUID(int=0))
PLATFORM = {"X-Client-Account-Id": _NIL, "X-Engagement-Id": _NIL}
MACHINES = 12
READY_SECONDS = 120.0


@dataclass
class Owner:
    """A tenant, a key that may do all there, and what belongs to it: ids by the parameter that takes them."""

    marker: str
    key: str
    client_account_id: str
    engagement_id: str
    ids: dict[str, list[str]] = field(default_factory=dict)

    def secrets(self) -> list[str]:
        """What no answer to anybody else may have in it."""
        own = [each for name, found in self.ids.items() if name != "field_id" for each in found]
        return [self.marker, self.client_account_id, self.engagement_id, *own]


async def two_tenants(url: str, operator_key: str) -> tuple[Owner, Owner]:
    """Make two tenants of different clients and fill them."""
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", trust_env=False, timeout=60) as client:
        operator = {"X-API-Key": operator_key}
        for key in ("caller_requests_per_minute", "caller_request_burst"):
            await _send(client, "PUT", f"/configuration/{key}", operator | PLATFORM, {"value": 10**9, "reason": "fuzz"})
        owners = [await _owner(client, operator) for _ in range(2)]
        await asyncio.gather(*(_fill(client, owner) for owner in owners))
    return owners[0], owners[1]


async def _owner(client: httpx2.AsyncClient, operator: dict[str, str]) -> Owner:
    marker = f"mk{secrets.token_hex(6)}"
    body = {"client_name": f"{marker} client", "engagement_name": f"{marker} engagement"}
    made = await _send(client, "POST", "/engagements", operator, body)
    tenant = {"X-Client-Account-Id": made["client_account_id"], "X-Engagement-Id": made["engagement_id"]}
    key = await _send(client, "POST", "/keys", operator | tenant, {"name": marker, "role": "client_admin"})
    return Owner(marker, key["key"], made["client_account_id"], made["engagement_id"])


async def _fill(client: httpx2.AsyncClient, owner: Owner) -> None:
    headers = {"X-API-Key": owner.key}
    rows = "\n".join(
        f"{owner.marker}-web{number:02},Ubuntu 22.04,4,16 GB,10.0.0.{number},Production,{owner.marker} shop"
        for number in range(MACHINES)
    )
    content = f"hostname,operating system,vcpu,memory,ip address,environment,application\n{rows}\n"
    params = {"file_name": f"{owner.marker}.csv"}
    uploaded = await client.post("/imports", params=params, content=content.encode(), headers=headers)
    import_id = uploaded.raise_for_status().json()["import_id"]
    flow = await _send(client, "POST", "/flows", headers, {"import_ids": [import_id]})

    async def done() -> bool:
        for task in (await _send(client, "GET", "/approvals", headers))["items"]:
            answer = await client.post(
                f"/approvals/{task['task_id']}/decision",
                json={"decision": "approve", "comment": "a test"},
                headers=headers,
            )
            if answer.status_code not in (200, 409):
                answer.raise_for_status()
        flows = (await _send(client, "GET", "/flows", headers))["items"]
        if any(each["status"] == "failed" for each in flows):
            raise RuntimeError(f"a flow failed: {flows}")
        return any(each["flow_type"] == "planning" and each["status"] == "completed" for each in flows)

    await eventually(done, READY_SECONDS)
    schedule = {
        "name": owner.marker,
        "cron": "30 2 * * *",
        "start": {"flow_type": "modernization", "repository_url": f"https://example.com/{owner.marker}.git"},
    }
    await _send(client, "POST", "/schedules", headers, schedule)
    await _send(client, "POST", "/learnings", headers, {"text": f"{owner.marker} is Memory"})
    await _send(client, "POST", "/audit/verifications", headers)
    await _learn_ids(client, owner, headers, str(flow["flow_id"]), import_id)


async def _learn_ids(
    client: httpx2.AsyncClient, owner: Owner, headers: dict[str, str], flow_id: str, import_id: str
) -> None:
    owner.ids |= {"flow_id": [flow_id], "import_id": [import_id]}
    lists = {
        "asset_uid": "/assets",
        "schedule_id": "/schedules",
        "learning_id": "/learnings",
        "mapping_id": "/mappings",
        "source_id": "/templates",
        "key_id": "/keys",
    }
    for name, path in lists.items():
        found = (await _send(client, "GET", path, headers))["items"]
        owner.ids[name] = [str(each[name]) for each in found]
        if not owner.ids[name]:
            raise RuntimeError(f"{path} is empty, so nothing there could leak")
    tasks = await _send(client, "GET", "/approvals?status=approved", headers)
    owner.ids["task_id"] = [task["task_id"] for task in tasks["items"]]
    owner.ids["flow_id"] += [each["flow_id"] for each in (await _send(client, "GET", "/flows", headers))["items"]]


async def _send(
    client: httpx2.AsyncClient, method: str, path: str, headers: dict[str, str], body: Any = None
) -> dict[str, Any]:
    answer = await client.request(method, path, json=body, headers=headers)
    if answer.is_error:
        raise RuntimeError(f"{method} {path} answered {answer.status_code}: {answer.text}")
    found: dict[str, Any] = answer.json()
    return found
