"""What is learned at the gate: also of a fork, and not longer than there is a flow."""

from typing import Any

import pytest
from sqlalchemy import text

from contracts.discovery import FieldMappingCompleted
from contracts.envelope import uuid7
from contracts.flows import ApprovalDecided, ApprovalRequested
from contracts.learning import FieldMappingLearned
from contracts.lifecycle import FlowDeleted
from services.chassis.testing import some_tenant
from services.field_mapping.learning_handlers import ProposalNotThere, learn_from_decision
from tests.field_mapping.running import FieldMapping
from tests.field_mapping.test_learning import SERVERS, column, running

__all__ = ["running"]


def asked(proposal: FieldMappingCompleted, **about: Any) -> ApprovalRequested:
    """The task of a flow that waits with this proposal."""
    mappings = [mapping.model_dump(mode="json") for mapping in proposal.mappings]
    details = {"tenant": proposal.tenant, "task_id": uuid7(), "title": "the mapping", "details": {"mappings": mappings}}
    return ApprovalRequested.model_validate({**details, "kind": "field_mapping", **about})


def approved(task: ApprovalRequested, **edits: Any) -> ApprovalDecided:
    return ApprovalDecided(
        tenant=task.tenant,
        flow_id=task.flow_id,
        task_id=task.task_id,
        kind=task.kind,
        decision="approve",
        edits=edits,
        decided_by="Cleo",
    )


async def test_a_fork_that_waits_at_the_gate_teaches_as_its_origin_does(running: FieldMapping) -> None:
    tenant = some_tenant()
    proposal = await running.mapped(tenant, SERVERS)
    task = asked(proposal, flow_id=uuid7())
    table_id = str(proposal.mappings[0].table_id)
    await running.tell(task, approved(task, **{table_id: {"Xyzzy": "cluster"}}))
    lessons = running.last(FieldMappingLearned).added
    assert [(lesson.column, lesson.field, lesson.origin.flow_id) for lesson in lessons] == [
        ("Xyzzy", "cluster", task.flow_id)
    ]
    assert column(await running.mapped(tenant, SERVERS), "Xyzzy").field == "cluster"


async def test_a_column_that_was_confirmed_to_mean_nothing_is_not_asked_about_again(running: FieldMapping) -> None:
    tenant = some_tenant()
    doubtful = "HOSTNAME,RAM_GB,Hosting Type\nsrv1,16,SaaS\nsrv2,32,On premise\n"
    proposal = await running.mapped(tenant, doubtful)
    assert (column(proposal, "Hosting Type").status, proposal.review_count) == ("review", 1)
    task = asked(proposal, flow_id=proposal.flow_id)
    await running.tell(task, approved(task))
    (lesson,) = running.last(FieldMappingLearned).added
    assert (lesson.column, lesson.verdict, lesson.field) == ("Hosting Type", "is", None)
    again = await running.mapped(tenant, doubtful)
    assert (column(again, "Hosting Type").field, column(again, "Hosting Type").status) == (None, "unmapped")
    assert again.review_count == 0
    assert column(again, "Hosting Type").reason.startswith("Cleo confirmed it on ")


async def test_a_decision_that_overtakes_its_question_is_tried_again(running: FieldMapping) -> None:
    tenant = some_tenant()
    task = asked(await running.mapped(tenant, SERVERS), flow_id=uuid7())
    async with running.runtime.database.transaction(tenant) as session:
        with pytest.raises(ProposalNotThere, match=str(task.flow_id)):
            await learn_from_decision(approved(task), session)


async def test_what_a_deleted_flow_had_proposed_is_forgotten(running: FieldMapping) -> None:
    tenant = some_tenant()
    kept, gone = await running.mapped(tenant, SERVERS), await running.mapped(tenant, SERVERS)
    await running.tell(FlowDeleted(tenant=tenant, flow_id=gone.flow_id, deleted_by="Ann"))
    async with running.runtime.database.transaction(tenant) as session:
        flows = (await session.execute(text("select flow_id from field_mapping.proposals"))).scalars()
        assert list(flows) == [kept.flow_id]
