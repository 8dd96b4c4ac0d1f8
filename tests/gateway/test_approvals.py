"""Human tasks: listed, decided once, edited only where there is something to edit."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has no types of its own

from contracts.envelope import uuid7
from contracts.flows import ApprovalRequested
from contracts.forms import FORMS, form_schema
from contracts.lifecycle import ApprovalReminded, ApprovalWithdrawn
from contracts.rest import ApprovalDecisionBody
from services.chassis.errors import ExpectedFailure
from services.gateway.routes.approvals import check_edits, checked_edits
from tests.gateway.platform import TABLE_ID, Platform, approval_requested

SOON, LATER = datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
DETAILS = {"mappings": [{"table_id": "t", "columns": [{"column": "Tier"}]}]}


async def decide(platform: Platform, task: ApprovalRequested, **body: Any) -> Any:
    return await platform.client.post(f"/api/v1/approvals/{task.task_id}/decision", json=body)


async def test_a_task_is_listed_and_shown(platform: Platform) -> None:
    task, other = approval_requested(), approval_requested()
    await platform.hear(task, other)
    listed = {item["task_id"] for item in (await platform.get("/approvals"))["items"]}
    assert listed == {str(task.task_id), str(other.task_id)}
    (item,) = (await platform.get("/approvals", flow_id=task.flow_id))["items"]
    assert item == await platform.get(f"/approvals/{task.task_id}")
    assert (item["status"], item["details"]) == ("pending", task.details)


@pytest.mark.parametrize(("decision", "status"), [("approve", "approved"), ("reject", "rejected")])
async def test_a_decision_is_shown_and_told(platform: Platform, decision: str, status: str) -> None:
    task = approval_requested()
    await platform.hear(task)
    edits = {str(TABLE_ID): {"Tier": "dr_tier", "Size": None}} if decision == "approve" else {}
    answer = await decide(platform, task, decision=decision, edits=edits, comment="as agreed")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["decided_by"]) == (status, "operator")
    assert answer.json()["decided_by_subject"] == "key:bootstrap"
    assert await platform.get(f"/approvals/{task.task_id}") == answer.json()
    assert (await platform.get("/approvals"))["items"] == []
    assert len((await platform.get("/approvals", status=status))["items"]) == 1
    await platform.settled()
    told = platform.heard.messages[-1]
    assert (told["type"], told["flowid"]) == ("approval.decided", str(task.flow_id))
    assert told["data"] == {
        "task_id": str(task.task_id),
        "kind": "field_mapping",
        "decision": decision,
        "edits": edits,
        "decided_by": "operator",
        "comment": "as agreed",
        "decided_by_subject": "key:bootstrap",
        "edited_by": None,
    }


async def test_the_first_of_many_decisions_wins(platform: Platform) -> None:
    task = approval_requested()
    await platform.hear(task)
    answers = await asyncio.gather(*(decide(platform, task, decision=d) for d in ["approve", "reject"] * 4))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    lost = next(answer.json() for answer in answers if answer.status_code == 409)
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    assert lost["code"] == "already_decided"
    assert f"was {won['status']} by operator" in lost["detail"]
    await platform.settled()
    assert platform.heard.types().count("approval.decided") == 1


async def test_a_task_that_is_told_again_stays_decided(platform: Platform) -> None:
    task = approval_requested()
    await platform.hear(task)
    await decide(platform, task, decision="reject")
    await platform.hear(task.model_copy(update={"id": uuid7()}))
    assert (await platform.get(f"/approvals/{task.task_id}"))["status"] == "rejected"


async def test_a_bad_edit_leaves_the_task_pending(platform: Platform) -> None:
    task = approval_requested()
    await platform.hear(task)
    answer = await decide(platform, task, decision="approve", edits={str(TABLE_ID): {"Colour": "hostname"}})
    assert (answer.status_code, answer.json()["code"], answer.json()["column"]) == (422, "unknown_column", "Colour")
    assert (await platform.get(f"/approvals/{task.task_id}"))["status"] == "pending"
    await platform.settled()
    assert "approval.decided" not in platform.heard.types()


@pytest.mark.parametrize(
    ("edits", "code"),
    [
        ({"other": {"Tier": "dr_tier"}}, "unknown_table"),
        ({"t": {"tier": "dr_tier"}}, "unknown_column"),
        ({"t": {"Tier": "colour"}}, "unknown_field"),
    ],
)
def test_an_edit_has_to_name_what_exists(edits: dict[str, dict[str, str | None]], code: str) -> None:
    with pytest.raises(ExpectedFailure) as raised:
        check_edits("field_mapping", DETAILS, edits)
    assert raised.value.problem.code == code


CONNECTIONS = {
    "mappings": [
        {"table_id": "c", "kind": "connections", "columns": [{"column": "Source process", "field": "process"}]},
        {"table_id": "i", "kind": "inventory", "columns": [{"column": "RAM", "field": "memory_gb"}, {"column": "X"}]},
    ]
}


@pytest.mark.parametrize(
    ("table", "column", "edit", "code"),
    [
        ("c", "Source process", "source", None),
        ("c", "Source process", None, None),
        ("c", "Source process", "memory_gb", "unknown_field"),
        ("i", "RAM", "process", "unknown_field"),
        ("i", "RAM", {"unit": "MB"}, None),
        ("i", "RAM", {"field": "storage_gb", "unit": "TB"}, None),
        ("i", "RAM", {"unit": "MHz"}, "unknown_unit"),
        ("i", "RAM", {"field": "hostname", "unit": "MB"}, "unknown_unit"),
        ("i", "X", {"unit": "MB"}, "unknown_unit"),
    ],
)
def test_a_column_becomes_what_its_table_has_in_a_unit_that_the_field_is_in(
    table: str, column: str, edit: Any, code: str | None
) -> None:
    if code is None:
        check_edits("field_mapping", CONNECTIONS, {table: {column: edit}})
        return
    with pytest.raises(ExpectedFailure) as raised:
        check_edits("field_mapping", CONNECTIONS, {table: {column: edit}})
    assert (raised.value.problem.code, raised.value.problem.column) == (code, column)


def test_a_unit_without_a_field_leaves_the_field_as_proposed() -> None:
    edits = {str(TABLE_ID): {"RAM": {"unit": "MB"}, "Size": {"field": None}, "Tier": "dr_tier"}}
    assert checked_edits("field_mapping", body("edit", edits)) == edits


def test_every_kind_of_task_says_what_a_decision_does() -> None:
    for kind in FORMS:
        assert len(form_schema(kind)["description"]) > 40


@pytest.mark.parametrize("kind", ["wave_plan", "collected_answers", "change_plan", "a kind of tomorrow"])
def test_only_a_mapping_can_be_edited(kind: str) -> None:
    assert checked_edits(kind, body("approve")) == {}
    with pytest.raises(ExpectedFailure, match="approved or rejected"):
        checked_edits(kind, body("approve", {"t": {"Tier": None}}))


@pytest.mark.parametrize(
    ("decision", "edits", "code"),
    [
        ("edit", {}, "edits_missing"),
        ("reject", {str(TABLE_ID): {"Tier": None}}, "edits_not_possible"),
        ("edit", {"the first": {"Tier": None}}, "invalid_edits"),
        ("edit", {str(TABLE_ID): {"Tier": 3}}, "invalid_edits"),
        ("edit", {str(TABLE_ID): "dr_tier"}, "invalid_edits"),
    ],
)
def test_edits_have_to_fit_the_form(decision: str, edits: dict[str, Any], code: str) -> None:
    with pytest.raises(ExpectedFailure) as raised:
        checked_edits("field_mapping", body(decision, edits))
    assert raised.value.problem.code == code


def test_an_edit_that_does_not_fit_is_named_with_its_place() -> None:
    with pytest.raises(ExpectedFailure, match=rf"edits\.{TABLE_ID}\.Tier: Input should be a valid string"):
        checked_edits("field_mapping", body("edit", {str(TABLE_ID): {"Tier": 3}}))


def body(decision: str, edits: dict[str, Any] | None = None) -> ApprovalDecisionBody:
    return ApprovalDecisionBody.model_validate({"decision": decision, "edits": edits or {}})


async def test_a_task_shows_the_form_of_its_edits(platform: Platform) -> None:
    task = approval_requested(assignee="ada", remind_at=SOON, expires_at=LATER)
    await platform.hear(task)
    shown = await platform.get(f"/approvals/{task.task_id}")
    assert (shown["assignee"], shown["status"]) == ("ada", "pending")
    form = Draft202012Validator(shown["form"])
    assert form.is_valid({str(TABLE_ID): {"Tier": "dr_tier", "Size": None}})
    assert not form.is_valid({str(TABLE_ID): {"Tier": "colour"}})


async def test_to_edit_is_to_approve_with_edits(platform: Platform) -> None:
    task = approval_requested()
    await platform.hear(task)
    answer = await decide(platform, task, decision="edit", edits={str(TABLE_ID): {"Tier": "dr_tier"}})
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    told = await platform.told("approval.decided")
    assert (told["data"]["decision"], told["data"]["edits"]) == ("approve", {str(TABLE_ID): {"Tier": "dr_tier"}})


async def test_an_expired_task_cannot_be_decided(platform: Platform) -> None:
    task = approval_requested(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await platform.hear(task)
    answer = await decide(platform, task, decision="approve")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_expired")


@pytest.mark.parametrize("late", [False, True])
async def test_a_withdrawn_task_cannot_be_decided_and_says_why(platform: Platform, *, late: bool) -> None:
    task = approval_requested()
    withdrawn = ApprovalWithdrawn(
        tenant=task.tenant, flow_id=task.flow_id, task_id=task.task_id, reason="ada cancelled the flow."
    )
    await platform.hear(*([withdrawn, task] if late else [task, withdrawn]))
    answer = await decide(platform, task, decision="approve")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_withdrawn")
    assert "ada cancelled the flow" in answer.json()["detail"]
    assert (await platform.get("/approvals"))["items"] == []
    (item,) = (await platform.get("/approvals", status="withdrawn"))["items"]
    assert (item["title"], item["kind"], item["withdrawn_reason"]) == (task.title, task.kind, "ada cancelled the flow.")


async def test_a_decision_stays_when_its_task_is_withdrawn_afterwards(platform: Platform) -> None:
    task = approval_requested()
    await platform.hear(task)
    await decide(platform, task, decision="approve")
    await platform.hear(
        ApprovalWithdrawn(tenant=task.tenant, flow_id=task.flow_id, task_id=task.task_id, reason="cancelled")
    )
    assert (await platform.get(f"/approvals/{task.task_id}"))["status"] == "approved"


async def test_a_reminder_is_shown(platform: Platform) -> None:
    task = approval_requested()
    reminder = ApprovalReminded(tenant=task.tenant, flow_id=task.flow_id, task_id=task.task_id, title=task.title)
    await platform.hear(task)
    await platform.hear(reminder)
    shown = await platform.get(f"/approvals/{task.task_id}")
    assert datetime.fromisoformat(shown["reminded_at"]) == reminder.time


def test_a_column_may_be_mapped_to_nothing() -> None:
    check_edits("field_mapping", DETAILS, {"t": {"Tier": None}})


@pytest.mark.parametrize("body", [{}, {"decision": "maybe"}, {"decision": "approve", "comment": "x" * 2_001}])
async def test_a_decision_has_to_be_one(platform: Platform, body: dict[str, Any]) -> None:
    task = approval_requested()
    await platform.hear(task)
    assert (await decide(platform, task, **body)).status_code == 422


async def test_an_unknown_task_cannot_be_decided(platform: Platform) -> None:
    answer = await decide(platform, approval_requested(), decision="approve")
    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")
