"""Flows: started, listed, watched; and the read model behind them."""

from typing import Any

import pytest

from contracts.discovery import FieldMappingCompleted, InventoryRequested, TableMapping
from contracts.envelope import BlobRef, uuid7
from contracts.flows import WorkProgressed
from contracts.lifecycle import FlowStatus
from contracts.planning import ReportCompleted
from services.gateway.app import DEFAULT_TENANT
from services.gateway.flows.details import flow_detail
from services.gateway.routes import flows
from tests.gateway.platform import Platform, approval_requested, flow_updated


async def test_a_started_flow_asks_for_a_discovery_with_the_files(platform: Platform) -> None:
    made = await platform.upload()
    body = {"import_ids": [made["import_id"]], "then": ["assessment"]}
    response = await platform.client.post("/api/v1/flows", json=body)
    assert response.status_code == 202
    detail = response.json()
    assert (detail["flow_type"], detail["status"]) == ("discovery", "queued")
    assert await platform.get(f"/flows/{detail['flow_id']}") == detail
    await platform.settled()
    asked = platform.heard.messages[-1]
    assert (detail["revision"], detail["possible_actions"], detail["waits_for"]) == (0, [], "the flow orchestrator")
    assert (asked["type"], asked["flowid"]) == ("discovery.requested", detail["flow_id"])
    assert asked["data"]["then"] == ["assessment"]
    assert [file["import_id"] for file in asked["data"]["files"]] == [made["import_id"]]


async def test_a_flow_on_an_unknown_import_does_not_start(platform: Platform) -> None:
    made = await platform.upload()
    body = {"import_ids": [made["import_id"], str(uuid7())]}
    response = await platform.client.post("/api/v1/flows", json=body)
    assert (response.status_code, response.json()["code"]) == (404, "import_not_found")
    assert (await platform.get("/flows"))["items"] == []


async def test_an_import_named_twice_is_read_once(platform: Platform) -> None:
    made = await platform.upload()
    await platform.client.post("/api/v1/flows", json={"import_ids": [made["import_id"]] * 2})
    await platform.settled()
    assert len(platform.heard.messages[-1]["data"]["files"]) == 1


@pytest.mark.parametrize("body", [{}, {"import_ids": []}, {"import_ids": ["x"]}, {"import_ids": [], "flow_type": "x"}])
async def test_a_flow_needs_imports(platform: Platform, body: dict[str, object]) -> None:
    response = await platform.client.post("/api/v1/flows", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        *(("queued", 5), ("running", 5), ("created", 15), ("scheduled", 15), ("waiting", 15), ("paused", 15)),
        *(("completed", 30), ("failed", 30), ("cancelled", 30)),
    ],
)
async def test_a_poll_says_when_to_ask_again(platform: Platform, status: FlowStatus, seconds: int) -> None:
    event = flow_updated(status=status)
    await platform.hear(event)
    poll = await platform.get(f"/polling/flow-status/{event.flow_id}")
    assert (poll["status"], poll["next_poll_seconds"]) == (status, seconds)


async def test_a_burst_of_polls_costs_one_query(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    event = flow_updated()
    await platform.hear(event)
    asked: list[object] = []
    detail = flow_detail

    async def counted(session: object, flow_id: object) -> object:
        asked.append(flow_id)
        return await detail(session, flow_id)  # type: ignore[arg-type] # counts calls, whatever their arguments

    monkeypatch.setattr(flows, "flow_detail", counted)
    first = await platform.get(f"/polling/flow-status/{event.flow_id}")
    assert await platform.get(f"/polling/flow-status/{event.flow_id}") == first
    assert asked == [event.flow_id]


async def test_the_newest_revision_is_shown_whatever_the_order(platform: Platform) -> None:
    newer = flow_updated(revision=3, status="completed", phase=None)
    older = flow_updated(flow_id=newer.flow_id, revision=2)
    await platform.hear(newer)
    await platform.hear(older, newer)
    shown = await platform.get(f"/flows/{newer.flow_id}")
    assert (shown["status"], shown["current_phase"]) == ("completed", None)


async def test_the_flow_shown_at_the_start_gives_way_to_the_first_news(platform: Platform) -> None:
    made = await platform.upload()
    started = (await platform.client.post("/api/v1/flows", json={"import_ids": [made["import_id"]]})).json()
    await platform.hear(flow_updated(flow_id=started["flow_id"], revision=1, status="waiting"))
    assert (await platform.get(f"/flows/{started['flow_id']}"))["status"] == "waiting"
    assert len((await platform.get("/flows"))["items"]) == 1


async def test_progress_is_shown_for_the_current_phase_only(platform: Platform) -> None:
    event = flow_updated(phase="inventory")
    late = WorkProgressed(
        tenant=DEFAULT_TENANT, flow_id=event.flow_id, step="data_import:1", done=9, total=9, message="old"
    )
    current = late.model_copy(update={"id": uuid7(), "step": "inventory:1", "done": 1, "message": "cleaning"})
    await platform.hear(event, late)
    assert (await platform.get(f"/flows/{event.flow_id}"))["progress"] is None
    await platform.hear(current)
    shown = await platform.get(f"/flows/{event.flow_id}")
    assert shown["progress"] == {"done": 1, "total": 9, "message": "cleaning"}


async def test_progress_of_an_earlier_attempt_is_not_shown(platform: Platform) -> None:
    event = flow_updated(phase="inventory")
    done = WorkProgressed(tenant=DEFAULT_TENANT, flow_id=event.flow_id, step=None, done=1, total=2, message="?")
    await platform.hear(event, done)
    assert (await platform.get(f"/flows/{event.flow_id}"))["progress"] is None


async def test_flows_are_listed_by_status_and_type(platform: Platform) -> None:
    running, ended = flow_updated(), flow_updated(flow_type="planning", status="completed")
    await platform.hear(running, ended)

    async def listed(**params: Any) -> set[str]:
        return {flow["flow_id"] for flow in (await platform.get("/flows", **params))["items"]}

    assert await listed() == {str(running.flow_id), str(ended.flow_id)}
    assert await listed(status="completed") == {str(ended.flow_id)}
    assert await listed(flow_type="discovery") == {str(running.flow_id)}
    assert await listed(flow_type="discovery", status="completed") == set()


async def test_a_flow_names_its_successors_its_tasks_and_its_reports(platform: Platform) -> None:
    event = flow_updated(flow_type="planning", status="completed")
    child = flow_updated(parent_flow_id=event.flow_id)
    task = approval_requested(flow_id=event.flow_id)
    file = BlobRef(key="k", sha256="0", size_bytes=1, media_type="text/html")
    report = ReportCompleted(tenant=DEFAULT_TENANT, flow_id=event.flow_id, files={"xlsx": file, "html": file})
    await platform.hear(event, child, task, report)
    shown = await platform.get(f"/flows/{event.flow_id}")
    assert shown["next_flow_ids"] == [str(child.flow_id)]
    assert shown["pending_approval_ids"] == [str(task.task_id)]
    assert shown["report_formats"] == ["html", "xlsx"]


async def test_mappings_are_a_proposal_until_the_flow_goes_on(platform: Platform) -> None:
    flow_id = uuid7()
    proposed = TableMapping(table_id=uuid7(), file_name="a.csv", kind="inventory", columns=[])
    decided = proposed.model_copy(update={"file_name": "b.csv"})
    proposal = FieldMappingCompleted(tenant=DEFAULT_TENANT, flow_id=flow_id, mappings=[proposed], review_count=0)
    decision = InventoryRequested(tenant=DEFAULT_TENANT, flow_id=flow_id, tables=[], mappings=[decided])
    await platform.hear(proposal)
    shown = await platform.get(f"/flows/{flow_id}/mappings")
    assert (shown["decided"], shown["mappings"][0]["file_name"]) == (False, "a.csv")
    await platform.hear(decision)
    await platform.hear(proposal.model_copy(update={"id": uuid7()}))
    shown = await platform.get(f"/flows/{flow_id}/mappings")
    assert (shown["decided"], shown["mappings"][0]["file_name"]) == (True, "b.csv")
