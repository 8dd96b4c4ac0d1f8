"""What an agent says about doubtful columns before a person decides; the flow goes on without it where it fails."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskFailed, AgentTaskRequested
from contracts.agent_work import AgentWork
from contracts.discovery import ColumnProfile, DataImportCompleted, FieldMappingCompleted
from contracts.envelope import Problem
from contracts.learning import OWN_PREFIX
from services.flow_orchestrator.flow_type import Gate, Phase, Retry
from services.flow_orchestrator.state import FlowState

ADVICE = "mapping_advice"
# More doubtful columns than this nobody reads advice about.
MOST_COLUMNS = 100
SAMPLES = 8
# An agent takes 45 s at most; the rest is for waiting its turn.
PATIENCE = timedelta(minutes=3)


def asks_an_agent(state: FlowState) -> bool:
    """Whether there is something to ask, and somebody to ask."""
    return state.result(FieldMappingCompleted).ask_agent and bool(doubtful_columns(state)["items"])


def advice_phase(gate: Gate) -> Phase:
    """The phase that asks an agent, with the gate behind which a person sees both opinions."""
    return Phase(
        name=ADVICE,
        asks=AgentTaskRequested,
        awaits=AgentTaskCompleted,
        fails_with=AgentTaskFailed,
        request=lambda state: {"task": ADVICE, "inputs": doubtful_columns(state)},
        summary=lambda done: {"engine": done.result.engine, "differs": done.result.differs} if done.result else {},
        gate=replace(gate, details=lambda state: {**gate.details(state), **_advice(state)}),
        time_out=PATIENCE,
        retry=Retry(attempts=1),
        dispensable=True,
    )


def _advice(state: FlowState) -> dict[str, Any]:
    """What the agent said, or why it said nothing."""
    if state.has_result(AgentTaskCompleted):
        result = state.result(AgentTaskCompleted).result
        return {} if result is None else {"advice": result.model_dump(mode="json")}
    problem = state.phases[ADVICE].problem
    return {} if problem is None else {"advice_problem": problem}


def mapping_advice_work(state: FlowState) -> list[AgentWork]:
    """What the agent did, for the report; nothing where it was not asked."""
    if state.has_result(AgentTaskCompleted):
        result = state.result(AgentTaskCompleted).result
        return [] if result is None else [result.work(ADVICE)]
    asked = state.phases.get(ADVICE)
    if asked is None or asked.problem is None:
        return []
    return [AgentWork(step=ADVICE, agent=None, engine="rules", fallback=Problem.model_validate(asked.problem))]


def doubtful_columns(state: FlowState) -> dict[str, Any]:
    """The columns that a person would be asked about, as the agent takes them, with what the rules propose.

    Those of connections say so: they have fields of their own.
    """
    profiles: dict[tuple[str, str], ColumnProfile] = {
        (str(table.table_id), column.name): column
        for table in state.result(DataImportCompleted).tables
        for column in table.columns
    }
    items: list[dict[str, Any]] = []
    own: set[str] = set()
    for table in state.result(FieldMappingCompleted).mappings:
        for column in table.columns:
            if column.status != "review":
                continue
            profile = profiles.get((str(table.table_id), column.column))
            own |= {field for field in (column.field, *column.alternatives) if field and field.startswith(OWN_PREFIX)}
            items.append(
                {
                    "key": f"{table.table_id}|{column.column}"[:500],
                    "column": column.column[:500],
                    **({"kind": table.kind} if table.kind == "connections" else {}),
                    "samples": [] if profile is None else profile.samples[:SAMPLES],
                    "filled": None if profile is None else profile.filled,
                    "distinct": None if profile is None else profile.distinct,
                    "field": column.field,
                    "unit": column.unit,
                    # The rules were asked, however unsure they are.
                    "confidence": max(column.confidence, 0.01),
                    "reason": column.reason[:4000],
                    "alternatives": column.alternatives[:20],
                }
            )
    return {"items": items[:MOST_COLUMNS], "own_fields": {field: field for field in sorted(own)}}
