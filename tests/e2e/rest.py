"""A REST client of the platform for tests: uploads, starts, decides, follows, and reads the whole read model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2

from contracts.envelope import Tenant
from services.chassis.testing import eventually

ENDED = ("completed", "failed", "cancelled")
# What an analysis of the read model needs of each list; the largest page that the gateway gives.
PAGE = 500
# Of whoever waits for work to end: seconds that only a machine with much else to do needs.
PATIENCE = 150.0

Json = dict[str, Any]
Edits = dict[str, dict[str, str | None]]


@dataclass
class Followed:
    """A flow and those that came after it, each as it ended, and the tasks that were decided on the way."""

    flows: dict[str, Json] = field(default_factory=dict)
    tasks: dict[str, Json] = field(default_factory=dict)

    @property
    def last(self) -> Json:
        """The newest flow."""
        return list(self.flows.values())[-1]


class RestClient:
    """Talks to one gateway as one caller, in the tenant that `headers` name."""

    def __init__(self, http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        self._http = http
        self._headers = headers

    async def answer(
        self, method: str, path: str, *, extra_headers: dict[str, str] | None = None, **request: Any
    ) -> httpx2.Response:
        """What the gateway answers below /api/v1, whatever it is."""
        headers = {**self._headers, **(extra_headers or {})}
        return await self._http.request(method, f"/api/v1{path}", headers=headers, **request)

    async def refusal(self, method: str, path: str, **request: Any) -> Json:
        """The problem details of a request that is refused."""
        response = await self.answer(method, path, **request)
        assert 400 <= response.status_code < 500, f"{response.status_code}: {response.text}"
        assert response.headers["content-type"] == "application/problem+json"
        problem: Json = response.json()
        return problem

    async def in_new_tenant(self) -> tuple[Self, Tenant]:
        """A client of the same gateway in an engagement that nobody else has."""
        made = await self.post("/engagements", {"client_name": "Fabrikam", "engagement_name": "Exit"})
        tenant = Tenant.model_validate(made)
        return self.of(tenant), tenant

    def of(self, tenant: Tenant) -> Self:
        """A client of the same gateway in a tenant."""
        names = {"x-client-account-id": str(tenant.client_account_id), "x-engagement-id": str(tenant.engagement_id)}
        return type(self)(self._http, {**self._headers, **names})

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON of a successful GET below /api/v1."""
        return _json(await self.answer("GET", path, params=params))

    async def post(self, path: str, body: Json | None = None) -> Any:
        """The JSON of a successful POST below /api/v1."""
        return _json(await self.answer("POST", path, json=body))

    async def every(self, path: str, **params: Any) -> list[Json]:
        """All items of a list, page by page."""
        items: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, limit=PAGE, **cursor, **params)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}

    async def upload(self, content: bytes, file_name: str) -> str:
        """The id of a new import."""
        made = _json(await self.answer("POST", "/imports", params={"file_name": file_name}, content=content))
        return str(made["import_id"])

    async def start(self, import_ids: Sequence[str], then: Sequence[str] = ("assessment", "planning")) -> str:
        """The id of a new discovery."""
        flow = await self.post("/flows", {"import_ids": list(import_ids), "then": list(then)})
        return str(flow["flow_id"])

    async def start_with(self, files: Sequence[Path], then: Sequence[str] = ("assessment", "planning")) -> str:
        """The id of a new discovery of these files, which are uploaded first."""
        return await self.start([await self.upload(path.read_bytes(), path.name) for path in files], then)

    async def flow(self, flow_id: str) -> Json:
        """A flow as it stands."""
        flow: Json = await self.get(f"/flows/{flow_id}")
        return flow

    async def known(self, flow_id: str) -> None:
        """Return once the flow is there, as one that an external event starts is after a moment."""

        async def there() -> bool:
            return (await self.answer("GET", f"/flows/{flow_id}")).status_code == 200

        await eventually(there)

    async def ended(self, flow_id: str, seconds: float = PATIENCE) -> Json:
        """The flow once it ended; raises `TimeoutError` with how it stood."""

        seen: Json = {}

        async def look() -> bool:
            seen.update(await self.flow(flow_id))
            return bool(seen["status"] in ENDED)

        try:
            await eventually(look, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"the flow did not end within {seconds} s: {seen}") from error
        return seen

    async def approve_next(self, flow_id: str, seconds: float = PATIENCE) -> None:
        """Wait until this flow, or one that came after it, asks a person, and approve."""
        current = flow_id

        async def approved() -> bool:
            nonlocal current
            flow = await self.flow(current)
            assert flow["status"] not in ("failed", "cancelled"), flow["problem"]
            for task_id in flow["pending_approval_ids"]:
                await self.decide(await self.get(f"/approvals/{task_id}"))
                return True
            current = next(iter(flow["next_flow_ids"]), current)
            return False

        await eventually(approved, seconds)

    async def follow(
        self,
        flow_id: str,
        edits: dict[str, str | None] | None = None,
        *,
        until: str = "planning",
        seconds: float = PATIENCE,
    ) -> Followed:
        """Approve whatever waits, with `edits` {column: field} of the mapping, until the flow `until` ended."""
        followed = Followed()
        current = flow_id

        seen: Json = {}

        async def step() -> bool:
            nonlocal current
            flow = await self.flow(current)
            seen.update(flow)
            for task_id in flow["pending_approval_ids"]:
                task = await self.get(f"/approvals/{task_id}")
                followed.tasks[task["kind"]] = task
                await self.decide(task, edits)
            if flow["status"] not in ENDED:
                return False
            followed.flows[flow["flow_type"]] = flow
            if flow["next_flow_ids"]:
                (current,) = flow["next_flow_ids"]
                return False
            return bool(flow["flow_type"] == until or flow["status"] != "completed")

        try:
            await eventually(step, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"the flows did not end within {seconds} s; the last one: {seen}") from error
        return followed

    async def decide(self, task: Json, edits: dict[str, str | None] | None = None) -> Json:
        """Approve a task, with `edits` to every table that has the column."""
        tables = task["details"].get("mappings", []) if task["kind"] == "field_mapping" else []
        body = {"decision": "approve", "edits": edits_of(tables, edits or {}), "comment": "It is a test."}
        decided: Json = await self.post(f"/approvals/{task['task_id']}/decision", body)
        return decided

    async def audit_verified(self) -> Json:
        """What a check of the audit log found."""
        asked = await self.post("/audit/verifications")

        found: Json = {}

        async def done() -> bool:
            found.update(await self.get(f"/audit/verifications/{asked['verification_id']}"))
            return bool(found["status"] == "done")

        await eventually(done)
        return found


def edits_of(tables: Sequence[Json], edits: dict[str, str | None]) -> Edits:
    """Edits by column name as the gateway takes them: by table."""
    changes = {
        table["table_id"]: {
            column["column"]: edits[column["column"]] for column in table["columns"] if column["column"] in edits
        }
        for table in tables
    }
    return {table_id: columns for table_id, columns in changes.items() if columns}


def _json(response: httpx2.Response) -> Any:
    assert response.is_success, f"{response.status_code}: {response.text}"
    return response.json()
