"""Learning on a real Postgres: proposed with its effect, applied, undone, and of one tenant alone."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import text

from contracts.discovery import ColumnMapping, FieldMappingCompleted
from contracts.envelope import Tenant, uuid7
from contracts.flows import ApprovalDecided
from contracts.learning import (
    FieldMappingLearned,
    LearningProposed,
    LearningRefused,
    LearningRequested,
    MappingDeleted,
    MappingSaved,
    MappingSourceRenamed,
    OwnField,
    OwnFieldDeleted,
    OwnFieldSaved,
    Teaching,
)
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.field_mapping.knowledge import read_headers, read_knowledge
from tests.field_mapping.running import FieldMapping, a_field_mapping
from tests.field_mapping.teachings import exported

SERVERS = "Hostname,RAM_GB,Xyzzy,Klasse\nsrv1,16,alpha,gold\nsrv2,32,beta,silver\n"
RAM = "RAM_GB is not Memory"


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[FieldMapping]:
    async with a_field_mapping(settings) as running:
        yield running


def column(proposal: FieldMappingCompleted, name: str) -> ColumnMapping:
    return next(each for table in proposal.mappings for each in table.columns if each.column == name)


async def test_what_an_agent_proposes_has_its_reason_and_changes_nothing(running: FieldMapping) -> None:
    tenant = some_tenant()
    lessons = [Teaching(column="Xyzzy", field="environment")]
    about = {"requested_by": "agent cmdb_analyst", "reason": "All sources call it so."}
    origin = (await running.proposed(tenant, lessons=lessons, **about)).learning.origin
    assert (origin.how, origin.by, origin.text) == ("agent", "agent cmdb_analyst", "All sources call it so.")
    assert column(await running.imported(tenant, SERVERS), "Xyzzy").field != "environment"


async def test_a_learning_shows_its_effect_and_counts_only_once_it_is_applied(running: FieldMapping) -> None:
    tenant = some_tenant()
    assert column(await running.imported(tenant, SERVERS), "RAM_GB").field == "memory_gb"
    await running.learned(tenant, text=RAM)
    assert column(await running.imported(tenant, SERVERS), "RAM_GB").field is None
    proposed = await running.proposed(tenant, text="RAM_GB should map to Memory (GB)")
    assert proposed.learning.effect is not None
    (table,) = proposed.learning.effect.tables_changed
    assert [(each.column, each.field_before, each.field_after) for each in table.columns] == [
        ("RAM_GB", None, "memory_gb")
    ]
    assert set(table.missing_before) - set(table.missing_after) == {"memory_gb"}
    assert column(await running.mapped(tenant, SERVERS), "RAM_GB").field is None
    learned = await running.decide(tenant, proposed.learning.learning_id, "apply")
    assert (learned.learning.status, len(learned.added), len(learned.removed)) == ("applied", 1, 1)
    again = column(await running.mapped(tenant, SERVERS), "RAM_GB")
    assert (again.field, again.status) == ("memory_gb", "accepted")
    assert again.reason.startswith("Ann said on")


async def test_feedback_that_is_to_count_at_once_does_and_can_be_undone(running: FieldMapping) -> None:
    tenant = some_tenant()
    await running.imported(tenant, SERVERS)
    ask = {"tenant": tenant, "learning_id": uuid7(), "requested_by": "Ann", "text": RAM, "apply": True}
    await running.tell(LearningRequested.model_validate(ask))
    learned = running.last(FieldMappingLearned)
    assert running.count(LearningProposed) == 0
    assert learned.learning.effect is not None
    assert learned.learning.effect.tables_changed[0].columns[0].field_before == "memory_gb"
    assert column(await running.mapped(tenant, SERVERS), "RAM_GB").field is None
    await running.decide(tenant, learned.learning.learning_id, "undo")
    assert column(await running.mapped(tenant, SERVERS), "RAM_GB").field == "memory_gb"


async def test_undoing_a_learning_restores_what_counted_before(running: FieldMapping) -> None:
    tenant = some_tenant()
    await running.learned(tenant, text=RAM)
    second = await running.learned(tenant, text="RAM_GB is Memory")
    undone = await running.decide(tenant, second.learning.learning_id, "undo")
    assert undone.learning.status == "undone"
    assert [lesson.lesson_id for lesson in undone.added] == second.removed
    assert undone.revision > second.revision
    assert column(await running.mapped(tenant, SERVERS), "RAM_GB").field is None


async def test_a_lesson_is_forgotten_with_its_effect_shown_first(running: FieldMapping) -> None:
    tenant = some_tenant()
    learned = await running.learned(tenant, lessons=[{"column": "XYZZY", "field": "cluster"}])
    await running.imported(tenant, SERVERS)
    forgetting = await running.proposed(tenant, forget=[learned.added[0].lesson_id])
    assert forgetting.learning.effect is not None
    assert forgetting.learning.effect.tables_changed[0].columns[0].field_before == "cluster"
    gone = await running.decide(tenant, forgetting.learning.learning_id, "apply")
    assert gone.removed == [learned.added[0].lesson_id]
    assert column(await running.mapped(tenant, SERVERS), "Xyzzy").field is None


@pytest.mark.parametrize(
    ("learning", "code"),
    [
        ({"text": "make it better"}, "not_understood"),
        ({"lessons": [{"column": "A", "field": "flavour"}]}, "unknown_field"),
        ({"lessons": [{"column": "A", "field": None, "verdict": "is_not"}]}, "field_missing"),
        ({"lessons": [{"column": "A", "field": "hostname", "verdict": "perhaps"}]}, "unknown_verdict"),
        ({"forget": [uuid4()]}, "lesson_not_found"),
    ],
)
async def test_what_makes_no_sense_is_refused(running: FieldMapping, learning: dict[str, object], code: str) -> None:
    with pytest.raises(LookupError):
        await running.proposed(some_tenant(), **learning)
    assert running.last(LearningRefused).problem.code == code


async def test_a_decision_that_does_not_fit_changes_nothing(running: FieldMapping) -> None:
    tenant = some_tenant()
    proposed = await running.proposed(tenant, text=RAM)
    learning_id = proposed.learning.learning_id
    for late in ("undo", "discard", "apply", "undo"):
        with pytest.raises(LookupError):
            await running.decide(tenant, learning_id, late)
    learned = await running.learned(tenant, text=RAM)
    assert await running.decide(tenant, learned.learning.learning_id, "apply") is learned


async def test_no_tenant_sees_what_another_taught(running: FieldMapping) -> None:
    one, other = some_tenant(), some_tenant()
    sibling = Tenant(client_account_id=one.client_account_id, engagement_id=uuid4())
    await running.imported(one, SERVERS)
    learned = await running.learned(one, text="Xyzzy is the cluster")
    await running.tell(OwnFieldSaved(tenant=one, field=KLASSE, saved_by="Ann"))
    for stranger in (other, sibling):
        proposal = await running.mapped(stranger, SERVERS)
        assert column(proposal, "Xyzzy").field is None
        assert column(proposal, "Klasse").field != KLASSE.field_id
        assert proposal.mappings[0].source is not None
        assert proposal.mappings[0].source.known is False
        before = running.count(FieldMappingLearned)
        assert await running.decide(stranger, learned.learning.learning_id, "undo") is learned
        assert running.count(FieldMappingLearned) == before
        async with running.runtime.database.transaction(stranger) as session:
            assert exported(await read_knowledge(session), await read_headers(session)).sources == []


async def test_what_a_person_decides_at_the_gate_is_learned_for_the_source_with_its_origin(
    running: FieldMapping,
) -> None:
    tenant = some_tenant()
    await running.learned(tenant, source_id=uuid4(), lessons=[{"column": "Xyzzy", "field": "cluster"}])
    proposal = await running.mapped(tenant, SERVERS)
    assert (column(proposal, "Xyzzy").field, column(proposal, "Xyzzy").status) == ("cluster", "review")
    table_id = str(proposal.mappings[0].table_id)
    decided = ApprovalDecided(
        tenant=tenant,
        flow_id=proposal.flow_id,
        task_id=uuid7(),
        kind="field_mapping",
        decision="approve",
        edits={table_id: {"Klasse": "dr_tier", "No such column": "hostname"}},
        decided_by="Cleo",
    )
    await running.tell(decided)
    taught = {each.learning.origin.how: each.added for each in running.said if isinstance(each, FieldMappingLearned)}
    (approved,), (corrected,) = taught["approval"], taught["correction"]
    assert (approved.column, approved.field) == ("Xyzzy", "cluster")
    assert (corrected.column, corrected.field) == ("Klasse", "dr_tier")
    assert (corrected.origin.by, corrected.origin.flow_id, corrected.origin.at) == (
        "Cleo", proposal.flow_id, decided.time,
    )  # fmt: skip
    again = await running.mapped(tenant, SERVERS)
    assert again.review_count == 0
    assert {column(again, name).field for name in ("Xyzzy", "Klasse")} == {"cluster", "dr_tier"}
    for learned in [each for each in running.said if isinstance(each, FieldMappingLearned)][1:]:
        await running.decide(tenant, learned.learning.learning_id, "undo")
    assert (await running.mapped(tenant, SERVERS)).mappings[0].columns == proposal.mappings[0].columns


async def test_a_rejected_or_other_task_teaches_nothing(running: FieldMapping) -> None:
    tenant = some_tenant()
    proposal = await running.mapped(tenant, SERVERS)
    about = {"tenant": tenant, "flow_id": proposal.flow_id, "decided_by": "Cleo"}
    edits = {str(proposal.mappings[0].table_id): {"Klasse": "dr_tier"}}
    for kind, decision in (("field_mapping", "reject"), ("wave_plan", "approve")):
        task = {"task_id": uuid7(), "kind": kind, "decision": decision, "edits": edits}
        await running.tell(ApprovalDecided.model_validate({**about, **task}))
    assert running.count(FieldMappingLearned) == 0


async def test_the_next_import_of_a_source_is_recognised_and_its_drift_told(running: FieldMapping) -> None:
    tenant = some_tenant()
    first = await running.imported(tenant, SERVERS, "servers 2026-11.csv")
    saved = running.last(MappingSaved)
    assert (saved.source_name, saved.decided, len(saved.columns)) == ("servers", True, 4)
    assert first.mappings[0].source is not None
    await running.tell(MappingSourceRenamed(tenant=tenant, source_id=saved.source_id, name="Our list", renamed_by="A"))
    shuffled = "RAM_GB,Klasse,HOSTNAME,xyzzy\n64,gold,srv3,alpha\n"
    same = (await running.mapped(tenant, shuffled, "other.csv")).mappings[0].source
    assert same is not None
    assert (same.source_id, same.name, same.known, same.drift) == (saved.source_id, "Our list", True, [])
    changed = (await running.imported(tenant, SERVERS.replace("RAM_GB", "RAM_GiB"))).mappings[0].source
    assert changed is not None
    assert [(each.change, each.was, each.column) for each in changed.drift] == [("renamed", "RAM_GB", "RAM_GiB")]
    assert running.last(MappingSaved).drift == changed.drift
    assert running.last(MappingSaved).source_id == saved.source_id
    await running.tell(MappingDeleted(tenant=tenant, mapping_id=saved.mapping_id, deleted_by="Ann"))
    forgotten = (await running.mapped(tenant, SERVERS)).mappings[0].source
    assert forgotten is not None
    assert [each.change for each in forgotten.drift] == ["renamed"]


async def test_a_renamed_column_keeps_what_was_taught_of_it(running: FieldMapping) -> None:
    tenant = some_tenant()
    await running.imported(tenant, SERVERS)
    source_id = running.last(MappingSaved).source_id
    await running.learned(tenant, source_id=source_id, text="Xyzzy is the cluster")
    renamed = column(await running.mapped(tenant, SERVERS.replace("Xyzzy", "Xyzzyx")), "Xyzzyx")
    assert (renamed.field, renamed.status) == ("cluster", "review")
    assert "“Xyzzy” became “Xyzzyx”" in renamed.reason
    assert "Ann said on" in renamed.reason


KLASSE = OwnField(field_id="own_backup_class", label="Backup class", names=["Klasse"])


async def test_a_field_of_the_tenants_own_is_mapped_and_its_values_are_kept(running: FieldMapping) -> None:
    tenant = some_tenant()
    await running.tell(OwnFieldSaved(tenant=tenant, field=KLASSE, saved_by="Ann"))
    proposal = await running.imported(tenant, SERVERS)
    assert (column(proposal, "Klasse").field, column(proposal, "Klasse").status) == ("own_backup_class", "accepted")
    async with running.runtime.database.transaction(tenant) as session:
        rows = (await session.execute(text("select own_fields from field_mapping.assets order by name"))).scalars()
        assert list(rows) == [{"own_backup_class": "gold"}, {"own_backup_class": "silver"}]
    late = OwnFieldSaved(tenant=tenant, field=KLASSE, saved_by="Ann")
    await running.tell(OwnFieldDeleted(tenant=tenant, field_id="own_backup_class", deleted_by="Ann"))
    before = late.model_copy(update={"id": uuid7(), "time": proposal.time})
    await running.tell(before)
    assert column(await running.mapped(tenant, SERVERS), "Klasse").field != "own_backup_class"


async def test_a_document_takes_what_one_tenant_taught_to_another_and_back(running: FieldMapping) -> None:
    one, other = some_tenant(), some_tenant()
    await running.tell(OwnFieldSaved(tenant=one, field=KLASSE, saved_by="Ann"))
    await running.imported(one, SERVERS)
    source_id = running.last(MappingSaved).source_id
    await running.learned(one, source_id=source_id, text="Xyzzy is the cluster. ignore RAM_GB")
    await running.learned(one, lessons=[Teaching(column="Owner", field="business_owner")])

    async def document(tenant: Tenant) -> object:
        async with running.runtime.database.transaction(tenant) as session:
            return exported(await read_knowledge(session), await read_headers(session))

    theirs = await document(one)
    await running.tell(OwnFieldSaved(tenant=other, field=KLASSE, saved_by="Bo"))
    empty = await document(other)
    imported = await running.learned(other, document=theirs)
    assert running.last(MappingSaved).decided is False
    assert await document(other) == theirs
    proposal = await running.mapped(other, SERVERS)
    assert proposal.mappings[0].source is not None
    assert proposal.mappings[0].source.known
    assert column(proposal, "Xyzzy").field == "cluster"
    assert column(proposal, "RAM_GB").status == "unmapped"
    await running.decide(other, imported.learning.learning_id, "undo")
    assert await document(other) == empty
    assert running.count(LearningProposed) == 3
