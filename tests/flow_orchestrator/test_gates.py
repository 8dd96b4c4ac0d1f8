"""Human gates: what a person is asked, what edits do, and that the first decision wins."""

from datetime import timedelta
from uuid import uuid4

from contracts.discovery import (
    DiscoveryFailed,
    InventoryRequested,
)
from contracts.planning import PlanningCompleted, ReportRequested
from services.flow_orchestrator.engine import Decision, decide, start
from services.flow_orchestrator.flows.mapping_review import decided_mappings
from tests.flow_orchestrator.answers import (
    TABLE_ID,
    a_discovery,
    a_planning,
    answer,
    blob,
    decision,
    mapped,
    to_review,
)
from tests.flow_orchestrator.run import NOW
from tests.flow_orchestrator.test_engine import DISCOVERY, PLANNING, request_in, step, task_in


def at_the_gate() -> Decision:
    """A discovery whose mapping waits for a person."""
    first = start(DISCOVERY, a_discovery(), NOW)
    second = step(DISCOVERY, first, answer(request_in(first)))
    return step(DISCOVERY, second, answer(request_in(second), review=True))


def test_a_doubtful_mapping_stops_at_a_gate() -> None:
    waiting = at_the_gate()
    task = task_in(waiting)

    assert (waiting.state.status, waiting.state.current_phase) == ("waiting", "field_mapping")
    assert waiting.state.phases["field_mapping"].status == "waiting"
    assert (task.kind, task.expires_at) == ("field_mapping", NOW + timedelta(days=30))
    assert task.details["mappings"][0]["columns"][1]["status"] == "review"
    assert not any(event.step for event in waiting.events)


def test_edits_at_the_gate_reach_the_next_phase() -> None:
    waiting = at_the_gate()
    edits = {str(TABLE_ID): {"Nm": "vm_name", "IP": None}}

    going_on = step(DISCOVERY, waiting, decision(task_in(waiting), edits=edits))

    request = request_in(going_on)
    assert isinstance(request, InventoryRequested)
    ip, name = request.mappings[0].columns
    assert (ip.field, ip.status, ip.confidence, ip.reason) == (None, "unmapped", 1.0, "Decided by Ada.")
    assert (name.field, name.status, name.confidence, name.reason) == ("vm_name", "accepted", 1.0, "Decided by Ada.")


def test_a_unit_that_is_corrected_at_the_gate_counts_and_goes_with_a_field_of_other_units() -> None:
    columns = [mapped("RAM", "memory_gb", "review"), mapped("Disk", "storage_gb", "accepted")]
    proposed = [to_review(*(column.model_copy(update={"unit": "GB"}) for column in columns))]

    def decided(**edits: object) -> list[tuple[str | None, str | None, str]]:
        [table] = decided_mappings(proposed, {str(TABLE_ID): edits}, "Ada")
        return [(column.field, column.unit, column.status) for column in table.columns]

    assert decided(RAM={"unit": "MB"}) == [("memory_gb", "MB", "accepted"), ("storage_gb", "GB", "accepted")]
    assert decided(RAM={"field": "storage_gb", "unit": "TB"})[0] == ("storage_gb", "TB", "accepted")
    assert decided(RAM="storage_used_gb")[0] == ("storage_used_gb", "GB", "accepted")
    assert decided(RAM="cpu_speed_mhz", Disk=None) == [
        ("cpu_speed_mhz", None, "accepted"),
        (None, None, "unmapped"),
    ]


def test_what_was_left_alone_at_the_gate_is_confirmed() -> None:
    proposed = [to_review(mapped("A", "hostname", "review"), mapped("B", None, "unmapped"))]

    [table] = decided_mappings(proposed, {}, "Ada")

    assert [(column.field, column.status) for column in table.columns] == [("hostname", "accepted"), (None, "unmapped")]
    assert table.columns[0].reason == "Looks like it. Confirmed by Ada."
    assert table.columns[1] == proposed[0].columns[1]


def test_a_column_that_seems_to_mean_nothing_is_confirmed_as_such_or_becomes_a_field() -> None:
    proposed = [to_review(mapped("A", None, "review"), mapped("B", None, "review"))]

    [table] = decided_mappings(proposed, {str(TABLE_ID): {"B": "cluster"}}, "Ada")

    assert [(column.field, column.status, column.reason) for column in table.columns] == [
        (None, "unmapped", "Looks like it. Confirmed by Ada."),
        ("cluster", "accepted", "Decided by Ada."),
    ]


def test_a_rejection_ends_the_flow() -> None:
    waiting = at_the_gate()

    ended = step(DISCOVERY, waiting, decision(task_in(waiting), "reject", comment="Wrong file"))

    assert ended.state.status == "cancelled"
    assert ended.state.problem is not None
    assert ended.state.problem["code"] == "rejected"
    assert "Ada rejected the mapping of doubtful columns: Wrong file" in ended.state.problem["detail"]
    assert any(isinstance(event, DiscoveryFailed) for event in ended.events)
    assert (ended.state.waits_for, ended.state.waits_until) == (None, None)
    assert [phase.task_id for phase in ended.state.phases.values()] == [None] * len(ended.state.phases)


def test_the_first_decision_wins() -> None:
    waiting = at_the_gate()
    task = task_in(waiting)
    approved = step(DISCOVERY, waiting, decision(task))
    rejected = step(DISCOVERY, waiting, decision(task, "reject"))

    assert decide(DISCOVERY, approved.state, decision(task, "reject"), NOW) is None
    assert decide(DISCOVERY, approved.state, decision(task), NOW) is None
    assert decide(DISCOVERY, rejected.state, decision(task), NOW) is None


def test_a_decision_on_another_task_is_ignored() -> None:
    waiting = at_the_gate()
    other = decision(task_in(waiting)).model_copy(update={"task_id": uuid4()})
    running = start(DISCOVERY, a_discovery(), NOW)

    assert decide(DISCOVERY, waiting.state, other, NOW) is None
    assert decide(DISCOVERY, running.state, other, NOW) is None


def test_a_plan_is_reported_only_after_its_approval() -> None:
    first = start(PLANNING, a_planning(), NOW)
    waiting = step(PLANNING, first, answer(request_in(first)))
    task = task_in(waiting)
    assert (task.kind, len(task.details["waves"]), task.details["unplanned"]) == ("wave_plan", 1, {"retire": 2})

    approved = step(PLANNING, waiting, decision(task))
    request = request_in(approved)
    assert isinstance(request, ReportRequested)
    assert (request.plan, request.unplanned) == (blob("plan"), {"retire": 2})
    last = step(PLANNING, approved, answer(request))
    completed = next(event for event in last.events if isinstance(event, PlanningCompleted))
    assert (completed.wave_count, completed.application_count) == (1, 1)
