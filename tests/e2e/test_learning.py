"""What people decide at a discovery's gate is not asked again, until they take it back; and never of another tenant."""

from contracts.learning import LearningDocument
from services.chassis.testing import eventually
from tests.e2e.platform import Platform
from tests.e2e.rest import Followed, Json, RestClient

EXPORT = """Hostname,RAM_GB,APPLICATION_OWNER,DR_TIER,Operating System,Xyzzy
erp01,16,Jane Smith,Tier 1,RHEL 8.6,blue
erp02,32,Jane Smith,Tier 1,RHEL 8.6,green
crm01,8,Ravi Patel,Tier 2,Windows Server 2019,blue
"""


async def discovered(client: RestClient, text: str, edits: dict[str, str | None] | None = None) -> Followed:
    """A discovery of an export, approved with these edits where it asks."""
    flow_id = await client.start([await client.upload(text.encode(), "servers 2026-11.csv")], then=())
    return await client.follow(flow_id, edits, until="discovery")


async def taught(client: RestClient, body: Json, decision: str = "apply") -> Json:
    """A learning that was proposed, and decided on."""
    learning_id = (await client.post("/learnings", body))["learning_id"]
    proposed = await settled(client, learning_id)
    assert proposed["status"] == "proposed", proposed
    await client.post(f"/learnings/{learning_id}/decision", {"decision": decision})
    return await settled(client, learning_id)


async def settled(client: RestClient, learning_id: str) -> Json:
    seen: Json = {}

    async def answered() -> bool:
        seen.update(await client.get(f"/learnings/{learning_id}"))
        return seen["status"] not in ("considering", "applying", "undoing")

    await eventually(answered)
    return seen


async def column(client: RestClient, followed: Followed, name: str) -> Json:
    mappings = (await client.get(f"/flows/{followed.last['flow_id']}/mappings"))["mappings"]
    return next(each for each in mappings[0]["columns"] if each["column"] == name)


async def source(client: RestClient, followed: Followed) -> Json:
    found: Json = (await client.get(f"/flows/{followed.last['flow_id']}/mappings"))["mappings"][0]["source"]
    return found


async def test_a_decision_at_the_gate_is_learned_and_can_be_taken_back(embedded: Platform) -> None:
    client = embedded.client
    hint = {"lessons": [{"column": "Xyzzy", "field": "cluster"}], "source_id": "00000000-0000-0000-0000-000000000001"}
    elsewhere = await taught(client, hint)
    first = await discovered(client, EXPORT, {"Xyzzy": "support_group"})
    assert first.last["status"] == "completed", first.last
    asked = first.tasks["field_mapping"]["details"]["mappings"][0]["columns"]
    assert {each["column"]: each["status"] for each in asked}["Xyzzy"] == "review"
    await embedded.settled()
    learned = (await client.get("/learnings", params={"limit": 50}))["items"]
    (corrected,) = [each for each in learned if each["origin"]["how"] == "correction"]
    assert corrected["origin"]["flow_id"] == first.last["flow_id"]
    assert [each["field"] for each in corrected["lessons"]] == ["support_group"]

    second = await discovered(client, EXPORT.replace("blue", "red"))
    assert "field_mapping" not in second.tasks
    again = await column(client, second, "Xyzzy")
    assert (again["field"], again["status"]) == ("support_group", "accepted")
    assert again["reason"].startswith("operator corrected it on ")
    assert (await source(client, second))["known"]

    third = await discovered(client, EXPORT.replace("RAM_GB", "RAM_GiB"))
    assert [each["reason"].partition(":")[0] for each in (await source(client, third))["drift"]] == [
        "“RAM_GB” became “RAM_GiB”"
    ]
    for learning in (corrected, elsewhere):
        await client.post(f"/learnings/{learning['learning_id']}/decision", {"decision": "undo"})
        assert (await settled(client, learning["learning_id"]))["status"] == "undone"
    last = await column(client, await discovered(client, EXPORT), "Xyzzy")
    assert last["field"] != "support_group"


async def test_a_column_that_seems_to_mean_nothing_is_asked_about_once(embedded: Platform) -> None:
    client, _ = await embedded.client.in_new_tenant()
    doubtful = EXPORT.replace("Xyzzy", "Hosting Type")
    first = await discovered(client, doubtful)
    (asked,) = [each for each in first.tasks["field_mapping"]["details"]["mappings"][0]["columns"]
                if each["status"] == "review"]  # fmt: skip
    assert (asked["column"], asked["field"]) == ("Hosting Type", None)
    decided = await column(client, first, "Hosting Type")
    assert (decided["field"], decided["status"]) == (None, "unmapped")
    assert decided["reason"].endswith("It holds values such as “blue”. Confirmed by operator.")
    await embedded.settled()
    assert "field_mapping" not in (await discovered(client, doubtful)).tasks

    other, _ = await embedded.client.in_new_tenant()
    edited = await discovered(other, doubtful, {"Hosting Type": "support_group"})
    page = await other.get("/assets", flow_id=edited.last["flow_id"])
    assert {each["attributes"]["support_group"] for each in page["items"]} == {"blue", "green"}


async def test_after_feedback_on_ram_gb_fewer_fields_are_missing(embedded: Platform) -> None:
    client = embedded.client
    await taught(client, {"text": "RAM_GB is not Memory"})
    before = await discovered(client, EXPORT)
    assert (await column(client, before, "RAM_GB"))["field"] is None
    asked = await client.post("/feedback/process", {"corrections": ["RAM_GB should map to Memory (GB)"]})
    learned = await settled(client, asked["learning_id"])
    assert learned["status"] == "applied"
    (table,) = learned["effect"]["tables_changed"]
    assert len(table["missing_after"]) == len(table["missing_before"]) - 1
    after = await discovered(client, EXPORT)
    assert (await column(client, after, "RAM_GB"))["field"] == "memory_gb"
    page = await client.get("/assets", params={"flow_id": after.last["flow_id"]})
    assert {each["name"]: each["memory_gb"] for each in page["items"]} == {"erp01": 16, "erp02": 32, "crm01": 8}


async def test_a_tenant_takes_what_it_taught_to_another_and_nothing_else_gets_there(embedded: Platform) -> None:
    client = embedded.client
    own = await client.post("/fields", {"label": "Colour", "names": ["Xyzzy"]})
    first = await discovered(client, EXPORT)
    assert (await column(client, first, "Xyzzy"))["field"] == own["field_id"] == "own_colour"
    page = await client.get("/assets", params={"flow_id": first.last["flow_id"]})
    assert {each["attributes"]["own_colour"] for each in page["items"]} == {"blue", "green"}
    await taught(client, {"text": "DR_TIER is the criticality"})
    await embedded.settled()

    other, _ = await client.in_new_tenant()
    strange = await discovered(other, EXPORT)
    assert not (await source(other, strange))["known"]
    assert (await column(other, strange, "Xyzzy"))["field"] != "own_colour"
    assert (await column(other, strange, "DR_TIER"))["field"] == "dr_tier"

    document = await client.get("/learnings/document")
    assert LearningDocument.model_validate(document).lessons[0].field == "criticality"
    await taught(other, {"document": document})
    await embedded.settled()
    known = await discovered(other, EXPORT)
    assert (await column(other, known, "Xyzzy"))["field"] == "own_colour"
    assert (await column(other, known, "DR_TIER"))["field"] == "criticality"
    assert await client.get("/dead-letters") == {"items": [], "next_cursor": None}
