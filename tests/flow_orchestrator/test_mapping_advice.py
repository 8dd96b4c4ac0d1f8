"""An agent's advice before a mapping's gate: only where there is a model, and never in the way of the flow."""

from datetime import timedelta

import pytest

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskRequested
from contracts.agents import AgentResult
from contracts.discovery import FieldMappingCompleted, InventoryRequested
from contracts.envelope import Event
from services.agent_runner.agents.cmdb_analyst.crew import AGENT
from services.agent_runner.agents.cmdb_analyst.rules import Columns, name_columns
from services.flow_orchestrator.engine import tick
from services.flow_orchestrator.flows.mapping_advice import PATIENCE
from tests.flow_orchestrator.answers import TABLE_ID, answer, decision, to_review
from tests.flow_orchestrator.answers import mapped as doubtful_mapping
from tests.flow_orchestrator.run import Run
from tests.flow_orchestrator.test_engine import DISCOVERY

KEY = f"{TABLE_ID}|Nm"


def mapped(*, ask_agent: bool, review: bool = True) -> Run:
    """A discovery whose columns were mapped, one of them doubtfully."""
    run = Run(DISCOVERY).answer("data_import")
    reply = answer(run.request("field_mapping"), review)
    assert isinstance(reply, FieldMappingCompleted)
    run.hear(reply.model_copy(update={"ask_agent": ask_agent}))
    return run


def test_a_doubtful_column_of_connections_is_asked_about_as_one() -> None:
    run = Run(DISCOVERY).answer("data_import")
    reply = answer(run.request("field_mapping"), True)
    assert isinstance(reply, FieldMappingCompleted)
    tables = [table.model_copy(update={"kind": "connections"}) for table in reply.mappings]
    run.hear(reply.model_copy(update={"ask_agent": True, "mappings": tables}))
    request = run.request("mapping_advice")
    assert isinstance(request, AgentTaskRequested)
    (column,) = Columns.model_validate(request.inputs).items
    assert column.kind == "connections"


def test_an_agent_is_asked_about_a_column_that_seems_to_mean_nothing() -> None:
    run = Run(DISCOVERY).answer("data_import")
    reply = answer(run.request("field_mapping"), True)
    assert isinstance(reply, FieldMappingCompleted)
    doubt = doubtful_mapping("Nm", None, "review").model_copy(update={"alternatives": ["hostname"]})
    run.hear(reply.model_copy(update={"ask_agent": True, "mappings": [to_review(doubt)]}))
    request = run.request("mapping_advice")
    assert isinstance(request, AgentTaskRequested)
    question = Columns.model_validate(request.inputs)
    assert [(item.column, item.field, item.alternatives) for item in question.items] == [("Nm", None, ["hostname"])]
    (said,) = name_columns(question).answers
    assert (said.field, said.confidence, said.rationale) == (None, 0.5, "Looks like it.")
    assert said.confidence < AGENT.sure


def advice(request: Event) -> AgentTaskCompleted:
    """What an agent answers whose model differs from the rules."""
    given = {"key": KEY, "field": "vm_name", "unit": None, "confidence": 0.8, "rationale": "They are names of VMs."}
    result = AgentResult(
        agent="cmdb_analyst", engine="model", model="stub/stub", prompt_version="1-0", confidence=0.8, differs=True,
        output={"answers": [given]}, rules_output={"answers": [{**given, "field": "hostname"}]},
    )  # fmt: skip
    assert isinstance(request, AgentTaskRequested)
    return AgentTaskCompleted.reply_to(request, result=result)


def test_without_a_model_nobody_is_asked_and_the_gate_is_the_one_it_was() -> None:
    run = mapped(ask_agent=False)
    assert (run.state.status, run.state.current_phase) == ("waiting", "field_mapping")
    assert list(run.task("field_mapping").details) == ["mappings"]
    run.hear(decision(run.task("field_mapping")))
    assert run.statuses["mapping_advice"] == "pending"
    assert run.state.current_phase == "inventory"


def test_without_doubts_nobody_is_asked() -> None:
    assert mapped(ask_agent=True, review=False).state.current_phase == "inventory"


def test_an_agent_is_asked_about_the_doubtful_columns_as_it_takes_them() -> None:
    request = mapped(ask_agent=True).request("mapping_advice")
    assert isinstance(request, AgentTaskRequested)
    assert request.task in AGENT.capabilities
    question = AGENT.input.model_validate(request.inputs)
    assert {item.kind for item in Columns.model_validate(request.inputs).items} == {None}
    ruled = AGENT.rules(question)
    assert [(each.key, getattr(each, "field")) for each in ruled.answers] == [(KEY, "hostname")]  # noqa: B009


def test_a_person_sees_both_opinions_and_the_rules_count_until_then() -> None:
    run = mapped(ask_agent=True)
    run.hear(advice(run.request("mapping_advice")))
    task = run.task("mapping_advice")
    assert task.kind == "field_mapping"
    assert task.details["mappings"][0]["columns"][1]["field"] == "hostname"
    assert task.details["advice"]["output"]["answers"][0]["field"] == "vm_name"
    assert run.state.phases["mapping_advice"].summary == {"engine": "model", "differs": True}
    run.hear(decision(task))
    request = run.request("inventory")
    assert isinstance(request, InventoryRequested)
    assert [column.field for column in request.mappings[0].columns] == ["ip_address", "hostname"]


def test_a_person_may_take_what_the_agent_suggests() -> None:
    run = mapped(ask_agent=True)
    run.hear(advice(run.request("mapping_advice")))
    run.hear(decision(run.task("mapping_advice"), edits={str(TABLE_ID): {"Nm": "vm_name"}}))
    request = run.request("inventory")
    assert isinstance(request, InventoryRequested)
    assert request.mappings[0].columns[1].field == "vm_name"


@pytest.mark.parametrize("how", ["fails", "is silent"])
def test_an_agent_that_cannot_answer_does_not_keep_the_flow(how: str) -> None:
    run = mapped(ask_agent=True)
    if how == "fails":
        run.fail("mapping_advice", "agent_timed_out")
    else:
        late = tick(DISCOVERY, run.state, run.now + PATIENCE + timedelta(seconds=1))
        assert late is not None
        run.decisions.append(late)
    assert run.state.status == "waiting"
    details = run.task("mapping_advice").details
    assert details["advice_problem"]["code"] == {"fails": "agent_timed_out", "is silent": "phase_timed_out"}[how]
    run.hear(decision(run.task("mapping_advice")))
    assert run.state.current_phase == "inventory"
