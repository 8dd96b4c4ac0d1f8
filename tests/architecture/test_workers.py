"""Whether somebody does what flows ask for, or the flow says that nobody does."""

from contracts.agent_tasks import AgentTaskRequested
from contracts.lifecycle import ChildFlowEnded
from services.agent_runner.agents.registry import AGENTS
from services.cli.service_list import declared_services
from services.flow_orchestrator.flow_type import Phase
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES


def heard() -> set[str]:
    """The types of all events that some service has a handler for, the audit's ear for everything aside."""
    return {event.type_name for service in declared_services() for event in service.heard()}


def phases() -> list[tuple[str, Phase]]:
    """Every phase that asks a service for something, with its flow."""
    return [(each.name, phase) for each in FLOW_TYPES.all() for phase in each.phases if phase.asks is not None]


def test_every_phase_has_a_worker_or_says_which_one_is_missing() -> None:
    known = heard()
    able = {capability for agent in AGENTS.values() for capability in agent.capabilities}
    for flow, phase in phases():
        assert phase.asks is not None
        there = phase.asks.type_name in known and (phase.asks is not AgentTaskRequested or phase.name in able)
        assert there != bool(phase.missing_worker), f"{flow}.{phase.name}: is there a worker? {there}"


def test_every_phase_that_awaits_a_child_flow_asks_for_a_flow() -> None:
    starts = {each.requested for each in FLOW_TYPES.all()}
    for flow, phase in phases():
        if phase.awaits is ChildFlowEnded:
            assert phase.asks in starts, f"{flow}.{phase.name}"
