"""Whether something can be asked of a flow as it is shown; the orchestrator decides again on how it really is."""

from contracts.lifecycle import LEGAL_ACTIONS, FlowAction
from contracts.rest import FlowView
from contracts.rest_flows import FlowControlBody
from services.chassis.errors import Conflict, ExpectedFailure
from services.gateway.problems import TryLater

OF_A_PHASE: tuple[FlowAction, ...] = ("retry", "skip")


class NotTakenYet(TryLater):
    """The orchestrator has not answered the request that made the flow."""

    status = 409


def possible_actions(flow: FlowView) -> tuple[FlowAction, ...]:
    """What can be asked of a flow; nothing until the orchestrator has taken it."""
    return LEGAL_ACTIONS.get(flow.status, ()) if flow.revision > 0 else ()


def check_action(flow: FlowView, action: FlowAction, asked: FlowControlBody) -> None:
    """Raise the failure that says why this cannot be asked of the flow, and what can."""
    if flow.revision == 0:
        raise NotTakenYet(
            "flow_not_taken_yet", "The orchestrator has not taken this flow yet. Ask again in a moment.", seconds=1
        )
    if asked.version is not None and action != "migrate":
        raise ExpectedFailure("version_not_applicable", f"Only migrate goes to a version; {action} keeps the flow's.")
    if asked.phase is not None and action not in OF_A_PHASE:
        raise ExpectedFailure(
            "phase_not_applicable", f"Only {' and '.join(OF_A_PHASE)} take a phase; {action} is for the whole flow."
        )
    if asked.phase is not None and asked.phase not in [phase.name for phase in flow.phases]:
        names = ", ".join(phase.name for phase in flow.phases)
        raise ExpectedFailure("unknown_phase", f"A {flow.flow_type} has no phase {asked.phase!r}. It has {names}.")
    legal = possible_actions(flow)
    if action not in legal:
        raise Conflict.with_alternatives(
            "illegal_transition", f"A flow that is {flow.status} cannot be asked to {action}.", legal
        )
    reached = [phase.name for phase in flow.phases if phase.attempt > 0]
    if action == "retry" and asked.phase is not None and asked.phase not in reached:
        raise Conflict(
            "phase_not_reached",
            f"The flow has not come to its phase {asked.phase} yet. It can be retried from {', '.join(reached)}."
            if reached
            else "The flow has come to none of its phases yet: retry it without naming one.",
        )
