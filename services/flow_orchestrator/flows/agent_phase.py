"""A phase that is an agent task: its inputs are the flow's request and what earlier phases put out."""

from typing import Any

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskFailed, AgentTaskRequested
from contracts.envelope import Event
from services.flow_orchestrator.flow_type import Phase
from services.flow_orchestrator.state import FlowState


def agent_phase(name: str, requested: type[Event], *earlier: str, missing_worker: str, **routes: Any) -> Phase:
    """The phase `name`; of the `earlier` phases those that were gone through are among its inputs."""

    def request(state: FlowState) -> dict[str, Any]:
        asked = {key: value for key, value in state.results[requested.type_name].items() if key != "options"}
        known = {phase: outputs(state, phase) for phase in earlier if state.has_result(AgentTaskCompleted, phase)}
        return {"task": name, "inputs": {**asked, **known}}

    return Phase(
        name=name,
        asks=AgentTaskRequested,
        awaits=AgentTaskCompleted,
        fails_with=AgentTaskFailed,
        request=request,
        missing_worker=missing_worker,
        **routes,
    )


def outputs(state: FlowState, phase: str) -> dict[str, Any]:
    """What an agent task of this flow put out; raises `KeyError` if it was not gone through."""
    return state.result(AgentTaskCompleted, phase).answer
