"""Collection: find what is missing, ask for it, check the answers (three times at most, then a person), merge them."""

from functools import partial

from contracts.collection import CollectionCompleted, CollectionFailed, CollectionRequested, CollectionStarted
from services.flow_orchestrator.flow_type import END, Choice, FlowType, Gate, Phase
from services.flow_orchestrator.flows.agent_phase import agent_phase, outputs

_WORKER = "agents that have its capability"


_task = partial(agent_phase, missing_worker=_WORKER)


COLLECTION = FlowType(
    name="collection",
    version=1,
    requested=CollectionRequested,
    started=CollectionStarted,
    completed=CollectionCompleted,
    failed=CollectionFailed,
    phases=(
        _task("gap_analysis", CollectionRequested),
        _task("questionnaire", CollectionRequested, "gap_analysis"),
        _task(
            "answer_validation",
            CollectionRequested,
            "questionnaire",
            "error_analysis",
            max_rounds=3,
            exhausted="answer_review",
            then=Choice(
                routes=((lambda state: not outputs(state, "answer_validation").get("errors"), "answer_merge"),),
                otherwise="error_analysis",
            ),
        ),
        _task("error_analysis", CollectionRequested, "answer_validation", then="answer_validation"),
        Phase(
            name="answer_review",
            gate=Gate(
                kind="collected_answers",
                title="the answers that could not be validated",
                details=lambda state: outputs(state, "answer_validation"),
            ),
        ),
        _task("answer_merge", CollectionRequested, "answer_validation", then=END),
    ),
    announce=lambda state: {"discovery_flow_id": state.result(CollectionRequested).discovery_flow_id},
    outcome=lambda state: {"answers_merged": len(outputs(state, "answer_merge").get("answers", []))},
    child_row=lambda state: {"discovery_flow_id": state.result(CollectionRequested).discovery_flow_id},
)
