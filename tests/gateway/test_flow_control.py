"""Asking something of a flow: accepted, refused with what is possible, done or refused by the orchestrator."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.envelope import Event, Problem, uuid7
from contracts.flows import PhaseView
from contracts.lifecycle import FlowControlRefused, FlowDeleted, FlowRepair, FlowRepairCompleted, FlowStatus
from contracts.rest_flows import TimelineItem
from services.gateway.app import DEFAULT_TENANT
from tests.gateway import estate
from tests.gateway.platform import Platform, approval_requested, flow_updated

PHASES = [PhaseView(name="data_import", status="running", attempt=1), PhaseView(name="inventory", status="pending")]


@pytest.mark.parametrize(
    ("action", "status", "body"),
    [
        ("start", "created", None),
        ("pause", "running", {"comment": "over the weekend"}),
        ("resume", "paused", {}),
        ("cancel", "waiting", None),
        ("retry", "failed", {"phase": "data_import"}),
        ("skip", "waiting", {"phase": "inventory"}),
        ("migrate", "paused", {"version": 2}),
    ],
)
async def test_what_is_asked_is_accepted_and_told(
    platform: Platform, action: str, status: FlowStatus, body: dict[str, Any] | None
) -> None:
    event = flow_updated(status=status, phases=PHASES)
    await platform.hear(event)
    answer = await platform.post(f"/flows/{event.flow_id}/{action}", body)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["status"], action in answer.json()["possible_actions"]) == (status, True)
    told = await platform.told("flow_control.requested")
    assert (told["flowid"], told["id"]) == (str(event.flow_id), answer.json()["request_id"])
    asked = {"phase": None, "version": None, "comment": None, **(body or {})}
    assert told["data"] == {"action": action, "requested_by": "operator", **asked}
    assert answer.headers["location"] == f"/api/v1/flows/{event.flow_id}/requests/{told['id']}"


async def test_an_illegal_transition_is_refused_with_the_legal_ones(platform: Platform) -> None:
    event = flow_updated(status="completed")
    await platform.hear(event)
    answer = await platform.post(f"/flows/{event.flow_id}/pause")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")
    assert answer.json()["detail"].endswith("Possible now: delete.")
    await platform.settled()
    assert "flow_control.requested" not in platform.heard.types()


async def test_an_action_that_does_not_exist_is_refused(platform: Platform) -> None:
    event = flow_updated()
    await platform.hear(event)
    answer = await platform.post(f"/flows/{event.flow_id}/explode")
    assert answer.status_code == 422
    assert "'start', 'pause', 'resume'" in answer.json()["detail"]


async def test_a_flow_that_nobody_has_taken_yet_is_to_be_asked_again(platform: Platform) -> None:
    made = await platform.upload()
    asked = (await platform.post("/flows", {"import_ids": [made["import_id"]]})).json()
    answer = await platform.post(f"/flows/{asked['flow_id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "flow_not_taken_yet")
    assert answer.headers["retry-after"] == "1"


async def test_a_request_is_pending_until_it_is_done(platform: Platform) -> None:
    event = flow_updated()
    await platform.hear(event)
    request_id = (await platform.post(f"/flows/{event.flow_id}/pause")).json()["request_id"]
    path = f"/flows/{event.flow_id}/requests/{request_id}"
    assert (await platform.get(path))["status"] == "pending"
    paused = flow_updated(flow_id=event.flow_id, revision=2, status="paused", note="paused", causation_id=request_id)
    await platform.hear(paused)
    told = await platform.get(path)
    assert (told["status"], told["note"]) == ("done", "paused")


def refused(flow_id: UUID | None, request_id: object) -> FlowControlRefused:
    return FlowControlRefused(
        tenant=DEFAULT_TENANT,
        flow_id=flow_id,
        causation_id=UUID(str(request_id)),
        action="pause",
        requested_by="operator",
        problem=Problem(code="illegal_transition", detail="It had completed meanwhile."),
    )


async def test_a_lost_race_is_told_with_its_reason(platform: Platform) -> None:
    event = flow_updated(note="started")
    await platform.hear(event)
    request_id = (await platform.post(f"/flows/{event.flow_id}/pause")).json()["request_id"]
    await platform.hear(refused(event.flow_id, request_id))
    told = await platform.get(f"/flows/{event.flow_id}/requests/{request_id}")
    assert (told["status"], told["problem"]["detail"]) == ("refused", "It had completed meanwhile.")
    shown = await platform.get(f"/flows/{event.flow_id}")
    assert (shown["last_refusal"]["action"], shown["last_refusal"]["requested_by"]) == ("pause", "operator")
    started, lost = (await platform.get(f"/flows/{event.flow_id}/timeline"))["items"]
    assert (started["refused"], lost["refused"], lost["actor"]) == (False, True, "operator")
    assert "It had completed meanwhile." in lost["note"]


# Forks


async def test_a_fork_is_a_new_flow_that_names_its_origin(platform: Platform) -> None:
    event = flow_updated(note="data_import completed", revision=3, entry={"checkpoint": True})
    await platform.hear(event)
    answer = await platform.post(f"/flows/{event.flow_id}/fork", {"seq": 3})
    assert answer.status_code == 202, answer.text
    fork = answer.json()
    assert (fork["forked_from"], fork["status"], fork["flow_type"]) == (str(event.flow_id), "queued", "discovery")
    told = await platform.told("flow_fork.requested")
    assert told["flowid"] == fork["flow_id"] != str(event.flow_id)
    assert told["data"] == {"origin_flow_id": str(event.flow_id), "seq": 3, "requested_by": "operator"}


async def test_a_fork_needs_a_checkpoint_and_is_told_which_there_are(platform: Platform) -> None:
    flow_id = uuid7()
    checkpoints = [flow_updated(flow_id=flow_id, revision=n, note="x", entry={"checkpoint": n != 2}) for n in (1, 2, 3)]
    await platform.hear(*checkpoints)
    answer = await platform.post(f"/flows/{flow_id}/fork", {"seq": 2})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_such_checkpoint")
    assert "It has 1, 3." in answer.json()["detail"]


async def test_a_fork_shows_what_its_origin_found_until_it_finds_its_own(platform: Platform) -> None:
    origin, fork, twice = uuid7(), uuid7(), uuid7()
    blobs = platform.runtime.blobs
    await platform.hear(
        flow_updated(flow_id=origin),
        flow_updated(flow_id=fork, forked_from=origin),
        flow_updated(flow_id=twice, forked_from=fork),
        await estate.inventory(blobs, DEFAULT_TENANT, origin, [{"name": "web01"}]),
    )

    async def names(flow_id: UUID) -> list[str]:
        return [asset["name"] for asset in (await platform.get("/assets", flow_id=flow_id))["items"]]

    assert await names(fork) == await names(twice) == ["web01"]
    await platform.hear(await estate.inventory(blobs, DEFAULT_TENANT, fork, [{"name": "web02"}]))
    assert (await names(origin), await names(fork), await names(twice)) == (["web01"], ["web02"], ["web02"])


# Deletion


async def gone(platform: Platform, flow_id: UUID) -> FlowDeleted:
    event = FlowDeleted(tenant=DEFAULT_TENANT, flow_id=flow_id, deleted_by="operator")
    await platform.hear(event)
    return event


async def rows_of(platform: Platform, flow_id: UUID) -> dict[str, int]:
    from sqlalchemy import func, select

    from services.gateway.tables import Tables

    counts = {}
    async with platform.runtime.database.transaction(DEFAULT_TENANT) as session:
        for table in Tables.metadata.sorted_tables:
            if "flow_id" in table.c and table.name not in ("deleted_flows", "cancelled_work"):
                of_flow = select(func.count()).select_from(table).where(table.c.flow_id == flow_id)
                counts[table.name] = (await session.execute(of_flow)).scalar_one()
    return {name: count for name, count in counts.items() if count}


async def a_flow_with_everything(platform: Platform, **more: Any) -> UUID:
    flow_id = uuid7()
    blobs = platform.runtime.blobs
    events: list[Event] = [
        flow_updated(flow_id=flow_id, status="completed", note="done", **more),
        approval_requested(flow_id=flow_id),
        refused(flow_id, uuid4()),
        await estate.inventory(blobs, DEFAULT_TENANT, flow_id, [{"name": "web01"}]),
    ]
    await platform.hear(*events)
    return flow_id


async def test_a_deleted_flow_leaves_nothing(platform: Platform) -> None:
    flow_id = await a_flow_with_everything(platform)
    assert set(await rows_of(platform, flow_id)) == {
        *("flows", "flow_timeline", "flow_refusals", "approvals", "assets", "flow_results"),
    }
    answer = await platform.client.delete(f"/api/v1/flows/{flow_id}")
    assert answer.status_code == 202, answer.text
    assert (await platform.told("flow_control.requested"))["data"]["action"] == "delete"
    await gone(platform, flow_id)
    assert await rows_of(platform, flow_id) == {}
    assert (await platform.client.get(f"/api/v1/flows/{flow_id}")).status_code == 404


async def test_late_news_do_not_bring_a_deleted_flow_back(platform: Platform) -> None:
    flow_id = await a_flow_with_everything(platform)
    await gone(platform, flow_id)
    await platform.hear(flow_updated(flow_id=flow_id, revision=9, status="failed", note="late"))
    assert await rows_of(platform, flow_id) == {}


async def test_what_a_flow_found_stays_as_long_as_a_fork_shows_it(platform: Platform) -> None:
    origin = await a_flow_with_everything(platform)
    fork = flow_updated(forked_from=origin)
    assert fork.flow_id is not None
    later = flow_updated(forked_from=fork.flow_id)
    assert later.flow_id is not None
    await platform.hear(fork, later)
    await gone(platform, origin)
    await gone(platform, fork.flow_id)
    assert set(await rows_of(platform, origin)) == {"assets", "flow_results"}
    assert len((await platform.get("/assets", flow_id=later.flow_id))["items"]) == 1
    await gone(platform, later.flow_id)
    assert await rows_of(platform, origin) == {}


async def test_another_flow_keeps_what_is_its_own(platform: Platform) -> None:
    kept, deleted = await a_flow_with_everything(platform), await a_flow_with_everything(platform)
    before = await rows_of(platform, kept)
    await gone(platform, deleted)
    assert await rows_of(platform, kept) == before


# Timeline


async def test_a_timeline_says_what_happened_when_by_whom_and_what_it_waited_for(platform: Platform) -> None:
    event = flow_updated(
        revision=7,
        status="waiting",
        phase="field_mapping",
        note="field_mapping waits for a decision",
        entry={"actor": "ada", "cause": "flow_control.requested", "checkpoint": True},
        waits_for="the mapping of doubtful columns",
        waits_until="2030-01-01T00:00:00Z",
    )
    await platform.hear(event, event.model_copy(update={"id": uuid7()}))
    (item,) = (await platform.get(f"/flows/{event.flow_id}/timeline"))["items"]
    told = TimelineItem.model_validate(item)
    assert event.entry is not None
    assert (told.seq, told.at, told.actor, told.checkpoint) == (7, event.entry.at, "ada", True)
    assert (told.note, told.phase, told.status) == (event.entry.note, "field_mapping", "waiting")
    assert (told.waits_for, told.waits_until) == (event.waits_for, event.waits_until)


async def test_every_decision_is_in_the_timeline_whatever_the_order(platform: Platform) -> None:
    flow_id = uuid7()
    events = [flow_updated(flow_id=flow_id, revision=n, note=f"step {n}") for n in range(1, 8)]
    await platform.hear(*events[3:], *reversed(events[:3]))
    assert (await platform.get(f"/flows/{flow_id}"))["revision"] == 7
    seen: list[int] = []
    cursor = None
    while True:
        page = await platform.get(f"/flows/{flow_id}/timeline", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [item["seq"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [1, 2, 3, 4, 5, 6, 7]


# Repair


async def test_a_repair_is_asked_for_and_its_result_shown(platform: Platform) -> None:
    answer = await platform.post("/flow-repairs", {})
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    repair_id = UUID(answer.json()["repair_id"])
    told = await platform.told("flow_repair.requested")
    assert told["data"] == {"repair_id": str(repair_id), "requested_by": "operator"}
    mended = FlowRepair(flow_id=uuid7(), code="child_row_differs", found="It said running.", done="It says failed.")
    await platform.hear(
        FlowRepairCompleted(tenant=DEFAULT_TENANT, repair_id=repair_id, flows_checked=12, repairs=[mended])
    )
    shown = await platform.get(f"/flow-repairs/{repair_id}")
    assert (shown["status"], shown["flows_checked"]) == ("done", 12)
    assert shown["repairs"] == [mended.model_dump(mode="json")]


async def test_a_flow_that_does_not_exist_cannot_be_repaired(platform: Platform) -> None:
    answer = await platform.post("/flow-repairs", {"flow_id": str(uuid7())})
    assert (answer.status_code, answer.json()["code"]) == (404, "flow_not_found")
