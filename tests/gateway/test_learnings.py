"""Learning over REST: what is asked for, what is shown of it, and what is refused."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.discovery import ColumnMapping, Drift
from contracts.envelope import Problem, Tenant, uuid7
from contracts.learning import (
    Effect,
    FieldMappingLearned,
    Learning,
    LearningProposed,
    LearningRefused,
    Lesson,
    MappingSaved,
    Origin,
)
from services.gateway.app import DEFAULT_TENANT
from tests.gateway.platform import Platform, approval_requested

SOURCE = UUID(int=5)
FIELD = {"label": "Backup policy", "names": ["Sicherungsklasse"]}


def lesson(column: str = "RAM_GB", field: str | None = "memory_gb", **more: Any) -> Lesson:
    origin = Origin(how=more.pop("how", "feedback"), by="Ann", at="2026-11-20T00:00:00Z")
    return Lesson(column=column, field=field, lesson_id=uuid7(), origin=origin, **more)


def learned(
    *added: Lesson, removed: list[UUID] | None = None, revision: int = 1, status: str = "applied", **more: Any
) -> FieldMappingLearned:
    learning = Learning(
        learning_id=more.pop("learning_id", uuid7()), status=status, origin=lesson().origin, lessons=list(added)
    )
    tenant: Tenant = more.pop("tenant", DEFAULT_TENANT)
    return FieldMappingLearned(
        tenant=tenant, learning=learning, revision=revision, added=list(added), removed=removed or [], **more
    )


def saved(mapping_id: UUID | None = None, **more: Any) -> MappingSaved:
    columns = [
        ColumnMapping(column=name, field=None, confidence=0, status="unmapped", reason="r")
        for name in ("HOST", "RAM_GB")
    ]
    data = {"source_id": SOURCE, "source_name": "Our list", "kind": "inventory", "family": "text", "decided": True}
    return MappingSaved.model_validate(
        {"tenant": DEFAULT_TENANT, "mapping_id": mapping_id or SOURCE, "file_name": "a.csv", "columns": columns}
        | data
        | more
    )


async def proposed(platform: Platform) -> dict[str, Any]:
    """A learning that field mapping has proposed."""
    asked = (await platform.post("/learnings", {"text": "RAM_GB is Memory"})).json()
    learning = Learning(
        learning_id=asked["learning_id"],
        status="proposed",
        origin=Origin.model_validate(asked["origin"]),
        lessons=[lesson()],
        effect=Effect(tables_looked_at=3, tables_changed=[]),
    )
    await platform.hear(LearningProposed(tenant=DEFAULT_TENANT, learning=learning))
    shown: dict[str, Any] = await platform.get(f"/learnings/{asked['learning_id']}")
    return shown


async def test_feedback_is_handed_to_field_mapping_and_its_effect_shown_before_it_counts(platform: Platform) -> None:
    answer = await platform.post("/learnings", {"text": "RAM_GB is Memory", "source_id": str(SOURCE)})
    assert (answer.status_code, answer.json()["status"]) == (202, "considering")
    told = await platform.told("learning.requested")
    assert (told["data"]["text"], told["data"]["source_id"], told["data"]["requested_by"]) == (
        "RAM_GB is Memory", str(SOURCE), "operator",
    )  # fmt: skip
    shown = await proposed(platform)
    assert (shown["status"], shown["effect"]["tables_looked_at"], shown["lessons"][0]["field"]) == (
        "proposed", 3, "memory_gb",
    )  # fmt: skip
    assert (await platform.get("/lessons"))["items"] == []
    assert [each["status"] for each in (await platform.get("/learnings", status="proposed"))["items"]] == ["proposed"]


async def test_corrections_are_handed_on_to_count_at_once(platform: Platform) -> None:
    said = ["RAM_GB should map to Memory (GB)", "Tier is not DR tier"]
    answer = await platform.post("/feedback/process", {"corrections": said})
    assert (answer.status_code, answer.json()["status"]) == (202, "considering")
    told = await platform.told("learning.requested")
    assert (told["data"]["text"], told["data"]["apply"]) == ("\n".join(said), True)
    await platform.hear(learned(lesson(), learning_id=answer.json()["learning_id"]))
    assert (await platform.get(f"/learnings/{answer.json()['learning_id']}"))["status"] == "applied"


@pytest.mark.parametrize("body", [{}, {"corrections": []}, {"corrections": [""]}, {"corrections": "RAM is Memory"}])
async def test_feedback_without_corrections_is_refused(platform: Platform, body: dict[str, Any]) -> None:
    assert (await platform.post("/feedback/process", body)).status_code == 422


async def test_a_refusal_is_shown_with_its_reason(platform: Platform) -> None:
    asked = (await platform.post("/learnings", {"text": "hello"})).json()
    problem = Problem(code="not_understood", detail="“hello” was not understood.")
    await platform.hear(LearningRefused(tenant=DEFAULT_TENANT, learning_id=asked["learning_id"], problem=problem))
    shown = await platform.get(f"/learnings/{asked['learning_id']}")
    assert (shown["status"], shown["problem"]["code"]) == ("refused", "not_understood")


async def test_what_an_agent_proposes_waits_for_a_person_like_any_other_proposal(platform: Platform) -> None:
    by_agent = Origin(how="agent", by="agent cmdb_analyst", at="2026-11-20T00:00:00Z", text="All sources call it so.")
    learning = Learning(learning_id=uuid7(), status="proposed", origin=by_agent, lessons=[lesson()])
    for _ in range(2):
        await platform.hear(LearningProposed(tenant=DEFAULT_TENANT, learning=learning))
    (shown,) = (await platform.get("/learnings", status="proposed"))["items"]
    assert (shown["origin"]["by"], shown["origin"]["text"]) == ("agent cmdb_analyst", "All sources call it so.")
    assert (await platform.get("/lessons"))["items"] == []
    await platform.post(f"/learnings/{learning.learning_id}/decision", {"decision": "discard"})
    await platform.hear(LearningProposed(tenant=DEFAULT_TENANT, learning=learning))
    assert (await platform.get(f"/learnings/{learning.learning_id}"))["status"] == "discarded"


async def test_a_learning_is_applied_and_undone_by_decisions(platform: Platform) -> None:
    learning = await proposed(platform)
    path = f"/learnings/{learning['learning_id']}/decision"
    assert (await platform.post(path, {"decision": "apply"})).json()["status"] == "applying"
    told = await platform.told("learning.decided")
    assert (told["data"]["decision"], told["data"]["decided_by"]) == ("apply", "operator")
    ids = {"learning_id": learning["learning_id"]}
    taught = Lesson.model_validate(learning["lessons"][0])
    await platform.hear(learned(taught, **ids))
    assert (await platform.get(f"/learnings/{learning['learning_id']}"))["status"] == "applied"
    assert [each["column"] for each in (await platform.get("/lessons"))["items"]] == ["RAM_GB"]
    assert (await platform.post(path, {"decision": "undo"})).json()["status"] == "undoing"
    await platform.hear(learned(removed=[taught.lesson_id], revision=2, status="undone", **ids))
    assert (await platform.get(f"/learnings/{learning['learning_id']}"))["status"] == "undone"
    assert (await platform.get("/lessons"))["items"] == []


@pytest.mark.parametrize(("first", "second"), [("discard", "apply"), ("apply", "apply"), ("undo", None)])
async def test_a_decision_that_is_not_possible_now_is_refused(
    platform: Platform, first: str, second: str | None
) -> None:
    path = f"/learnings/{(await proposed(platform))['learning_id']}/decision"
    answer = await platform.post(path, {"decision": first})
    if second is not None:
        assert answer.status_code == 200
        answer = await platform.post(path, {"decision": second})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_possible_now")


@pytest.mark.parametrize(
    "body",
    [{}, {"text": ""}, {"text": "a is b", "forget": [str(uuid4())]}, {"lessons": [{"column": "", "field": None}]}],
)
async def test_one_thing_is_taught_at_a_time(platform: Platform, body: dict[str, Any]) -> None:
    answer = await platform.post("/learnings", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_news_of_lessons_that_come_in_the_wrong_order_revive_nothing(platform: Platform) -> None:
    taught = lesson()
    await platform.hear(learned(removed=[taught.lesson_id], revision=2, status="undone"), learned(taught, revision=1))
    assert (await platform.get("/lessons"))["items"] == []


async def test_lessons_are_found_by_column_field_and_source(platform: Platform) -> None:
    await platform.hear(saved(), learned(lesson(), lesson("Tier", "dr_tier", source_id=SOURCE)))
    for query, column in (
        ({"column": "ram"}, "RAM_GB"),
        ({"field": "dr_tier"}, "Tier"),
        ({"source_id": SOURCE}, "Tier"),
    ):
        assert [each["column"] for each in (await platform.get("/lessons", **query))["items"]] == [column]
    (tier,) = (await platform.get("/lessons", column="Tier"))["items"]
    assert tier["source_name"] == "Our list"


async def test_the_analysis_tells_what_is_taught_most_what_contradicts_and_what_is_of_no_use(
    platform: Platform,
) -> None:
    lessons = [
        lesson(),
        lesson("ram gb", "storage_gb", source_id=SOURCE, how="correction"),
        lesson("Gone", "memory_gb", how="correction"),
    ]
    await platform.hear(saved(), learned(*lessons))
    found = await platform.get("/lessons/analysis")
    assert (found["lessons"], found["by_origin"]) == (3, {"correction": 2, "feedback": 1})
    assert found["fields"][0] == {"field": "memory_gb", "lessons": 2, "corrections": 1}
    assert [{each["field"] for each in pair["lessons"]} for pair in found["contradictions"]] == [
        {"memory_gb", "storage_gb"}
    ]
    assert [each["column"] for each in found["unused"]] == ["Gone"]


async def test_saved_mappings_are_shown_with_their_drift_renamed_and_forgotten(platform: Platform) -> None:
    drift = [Drift(change="renamed", column="RAM_GB", was="RAM", reason="They differ little.")]
    newer = saved(uuid7(), drift=drift, missing_fields={"server": ["storage_gb"]})
    await platform.hear(saved(), newer)
    listed = (await platform.get("/mappings", source_id=SOURCE))["items"]
    assert {each["mapping_id"] for each in listed} == {str(SOURCE), str(newer.mapping_id)}
    assert (await platform.get(f"/mappings/{newer.mapping_id}"))["drift"][0]["was"] == "RAM"
    assert (await platform.get(f"/mappings/{newer.mapping_id}"))["missing_fields"] == {"server": ["storage_gb"]}
    (template,) = (await platform.get("/templates"))["items"]
    assert (template["headers"], template["columns"], template["lessons"]) == (2, 2, 0)
    renamed = await platform.client.put(f"/api/v1/templates/{SOURCE}", json={"name": "CMDB"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "CMDB")
    assert (await platform.told("mapping_source.renamed"))["data"]["name"] == "CMDB"
    await platform.hear(saved())
    assert {each["source_name"] for each in (await platform.get("/mappings"))["items"]} == {"CMDB"}
    gone = await platform.client.delete(f"/api/v1/mappings/{newer.mapping_id}")
    assert gone.status_code == 200
    assert (await platform.told("mapping.deleted"))["data"]["mapping_id"] == str(newer.mapping_id)
    answer = await platform.client.get(f"/api/v1/mappings/{newer.mapping_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "mapping_not_found")


async def test_a_template_is_a_document_that_can_be_taught_again(platform: Platform) -> None:
    own = (await platform.post("/fields", FIELD)).json()["field_id"]
    await platform.hear(saved(), learned(lesson("RAM_GB", own, source_id=SOURCE), lesson("Tier", None)))
    template = await platform.get(f"/templates/{SOURCE}")
    assert template["sources"][0]["headers"] == [["HOST", "RAM_GB"]]
    assert template["sources"][0]["lessons"] == [{"column": "RAM_GB", "verdict": "is", "field": own, "unit": None}]
    assert (template["lessons"], [field["field_id"] for field in template["fields"]]) == ([], [own])
    everything = await platform.get("/learnings/document")
    assert everything["lessons"] == [{"column": "Tier", "verdict": "is", "field": None, "unit": None}]
    other = await platform.new_tenant()
    asked = (await platform.post("/learnings", {"document": everything}, other)).json()
    assert (await platform.told("learning.requested"))["data"]["document"] == everything
    learning = Learning.model_validate({**asked, "status": "proposed"})
    await platform.hear(LearningProposed(tenant=other, learning=learning))
    path = f"/learnings/{asked['learning_id']}/decision"
    assert (await platform.post(path, {"decision": "apply"}, other)).status_code == 200
    assert own in [each["field_id"] for each in (await platform.get("/fields", other))["items"]]
    assert (await platform.told("own_field.saved"))["engagementid"] == str(other.engagement_id)


async def test_own_fields_are_added_changed_and_deleted_beside_the_canonical_ones(platform: Platform) -> None:
    made = await platform.post("/fields", FIELD)
    assert (made.status_code, made.json()["field_id"], made.json()["own"]) == (201, "own_backup_policy", True)
    assert (await platform.told("own_field.saved"))["data"]["field"]["names"] == ["Sicherungsklasse"]
    listed = {each["field_id"]: each for each in (await platform.get("/fields"))["items"]}
    assert (listed["memory_gb"]["unit"], listed["memory_gb"]["own"]) == ("GB", False)
    assert listed["own_backup_policy"]["saved_by"] == "operator"
    path = "/api/v1/fields/own_backup_policy"
    changed = await platform.client.put(path, json={"label": "Backups", "type": "integer"})
    assert (changed.json()["label"], changed.json()["names"]) == ("Backups", [])
    assert (await platform.client.delete(path)).status_code == 200
    assert (await platform.told("own_field.deleted"))["data"]["field_id"] == "own_backup_policy"
    assert (await platform.client.delete(path)).json()["code"] == "field_not_found"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"label": "§§"}, 422, "no_field_id"),
        ({"label": "A", "field_id": "hostname"}, 422, "invalid_request"),
        ({"label": "A", "type": "colour"}, 422, "invalid_request"),
        ({"label": "Twice"}, 409, "field_exists"),
    ],
)
async def test_a_field_that_cannot_be_is_refused(
    platform: Platform, body: dict[str, Any], status: int, code: str
) -> None:
    await platform.post("/fields", {"label": "Twice"})
    answer = await platform.post("/fields", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    canonical = await platform.client.delete("/api/v1/fields/hostname")
    assert (canonical.status_code, canonical.json()["code"]) == (409, "canonical_field")


async def test_at_the_gate_columns_can_be_mapped_to_ones_own_fields(platform: Platform) -> None:
    await platform.post("/fields", FIELD)
    task = approval_requested()
    await platform.hear(task)
    form = (await platform.get(f"/approvals/{task.task_id}"))["form"]
    assert "own_backup_policy" in form["additionalProperties"]["additionalProperties"]["anyOf"][0]["enum"]
    table_id = task.details["mappings"][0]["table_id"]
    path = f"/approvals/{task.task_id}/decision"
    unknown = await platform.post(path, {"decision": "edit", "edits": {table_id: {"Tier": "own_colour"}}})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_field")
    answer = await platform.post(path, {"decision": "edit", "edits": {table_id: {"Tier": "own_backup_policy"}}})
    assert answer.status_code == 200


async def test_no_tenant_sees_what_another_taught(platform: Platform) -> None:
    other = await platform.new_tenant()
    learning = await proposed(platform)
    await platform.post("/fields", FIELD)
    await platform.hear(saved(), learned(lesson()))
    for path in ("/learnings", "/lessons", "/mappings", "/templates"):
        assert (await platform.get(path, other))["items"] == []
    assert not [each for each in (await platform.get("/fields", other))["items"] if each["own"]]
    assert (await platform.get("/learnings/document", other))["sources"] == []
    for path in (f"/learnings/{learning['learning_id']}", f"/mappings/{SOURCE}", f"/templates/{SOURCE}"):
        assert (await platform.client.get(f"/api/v1{path}", headers=platform.of(other))).status_code == 404
    refused = await platform.post(f"/learnings/{learning['learning_id']}/decision", {"decision": "apply"}, other)
    assert refused.status_code == 404
