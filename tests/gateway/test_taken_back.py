"""Own fields that came with a document go when it is undone, but for those that something uses."""

from typing import Any
from uuid import UUID

from contracts.discovery import ColumnMapping
from contracts.envelope import uuid7
from contracts.learning import Learning, LearningProposed
from services.gateway.app import DEFAULT_TENANT
from tests.gateway.platform import Platform
from tests.gateway.test_inventory import found
from tests.gateway.test_learnings import learned, lesson, saved


async def undone(platform: Platform, labels: dict[str, str], used: Any = None) -> tuple[list[str], list[Any]]:
    """Apply a document with these own fields (id: label), let `used` happen, undo it: fields left, and what is told."""
    fields = [{"field_id": field_id, "label": label} for field_id, label in labels.items()]
    asked = (await platform.post("/learnings", {"document": {"fields": fields}})).json()
    await platform.hear(
        LearningProposed(tenant=DEFAULT_TENANT, learning=Learning.model_validate({**asked, "status": "proposed"}))
    )
    path = f"/learnings/{asked['learning_id']}/decision"
    await platform.post(path, {"decision": "apply"})
    await platform.hear(learned(learning_id=UUID(asked["learning_id"])))
    if used is not None:
        await used()
    told = (await platform.post(path, {"decision": "undo"})).json()
    left = [field["field_id"] for field in (await platform.get("/fields"))["items"] if field["own"]]
    return left, told["kept_fields"]


async def test_what_nothing_uses_goes_with_its_document(platform: Platform) -> None:
    assert await undone(platform, {"own_rack": "Rack", "own_row": "Row"}) == ([], [])
    assert (await platform.told("own_field.deleted"))["data"]["field_id"] in ("own_rack", "own_row")


async def test_a_field_that_was_there_before_or_was_changed_since_stays(platform: Platform) -> None:
    await platform.post("/fields", {"label": "Rack", "field_id": "own_rack"})

    async def changed() -> None:
        await platform.client.put("/api/v1/fields/own_row", json={"label": "Row of racks"})

    left, kept = await undone(platform, {"own_rack": "Rack", "own_row": "Row", "own_slot": "Slot"}, changed)
    assert (left, kept) == (["own_rack", "own_row"], [])


async def test_what_is_used_stays_and_the_answer_says_by_what(platform: Platform) -> None:
    async def used() -> None:
        column = ColumnMapping(column="R", field="own_row", confidence=1, status="accepted", reason="…")
        mapping = saved(uuid7()).model_copy(update={"columns": [column]})
        await platform.hear(learned(lesson("Rack", "own_rack")), mapping)
        await found(platform, [{"name": "web"}])

    left, kept = await undone(platform, {"own_rack": "Rack", "own_row": "Row", "own_slot": "Slot"}, used)
    assert left == ["own_rack", "own_row"]
    assert {each["field_id"]: each["reason"] for each in kept} == {
        "own_rack": "Another learning teaches that a column is this field.",
        "own_row": "A column of “Our list” is mapped to it.",
    }
