"""Examples of the REST models about agents, for the OpenAPI document."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel

from contracts.agents import AgentResult
from contracts.rest_agents import (
    AgentMonitor,
    AgentNews,
    AgentPerformance,
    AgentScheduleBody,
    AgentScheduleDetail,
    AgentScheduleView,
    AgentTaskBody,
    AgentTaskDetail,
    AgentTaskProgress,
    AgentTaskView,
    AgentView,
    CapabilityTaskBody,
    CostLine,
    CostReport,
)
from contracts.rest_operations import Percentiles

_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_FLOW = UUID("0197a6a0-0000-7000-8000-000000000030")
_INPUTS = {"applications": ["Shop", "Ledger"]}
_BODY = AgentTaskBody(inputs=_INPUTS, flow_id=_FLOW, token_budget=20_000)
_PROGRESS = AgentTaskProgress(done=1, total=2, message="asking the model about 1 application")
_RESULT = AgentResult(
    agent="migration_strategist",
    engine="model",
    model="deepinfra/llama-4-maverick",
    prompt_version="1",
    confidence=0.82,
    output={"treatments": {"Shop": "replatform", "Ledger": "retain"}},
    rules_output={"treatments": {"Shop": "rehost", "Ledger": "retain"}},
    differs=True,
    rationale="The database of Shop runs out of support; a managed one is a small step.",
    tokens_in=1_840,
    tokens_out=212,
    cost_usd=Decimal("0.000403"),
    seconds=3.1,
)
_VIEW = AgentTaskView(
    task_id=UUID("0197a6a0-0000-7000-8000-0000000000a0"),
    capability="six_r",
    agent="migration_strategist",
    status="completed",
    attempt=1,
    priority=0,
    flow_id=_FLOW,
    schedule_id=None,
    requested_by="operator",
    requested_at=_AT,
    start_at=None,
    started_at=_AT,
    ended_at=_AT,
    timeout_seconds=45,
    token_budget=20_000,
    cpu_budget_seconds=None,
    progress=_PROGRESS,
    problem=None,
    engine="model",
    model=_RESULT.model,
    seconds=_RESULT.seconds,
)

_SCHEDULE = AgentScheduleView(
    schedule_id=UUID("0197a6a0-0000-7000-8000-0000000000a1"),
    name="every night",
    cron="0 2 * * *",
    time_zone="Europe/Berlin",
    agent=None,
    capability="six_r",
    priority=0,
    timeout_seconds=45,
    token_budget=20_000,
    cpu_budget_seconds=None,
    paused=False,
    next_at=_AT,
    last_at=None,
    missed=0,
    saved_by="operator",
    saved_at=_AT,
)
_COST = CostLine(
    key="2026-11-20", calls=14, cached=3, failed=1, tokens_in=22_400, tokens_out=2_910, cost_usd=Decimal("0.0052")
)

AGENT_EXAMPLES: tuple[BaseModel, ...] = (
    _COST,
    CostReport(by="day", since=_AT.date(), until=_AT.date(), total=_COST, lines=[_COST]),
    AgentPerformance(
        agent="migration_strategist",
        engine="model",
        model=_RESULT.model,
        completed=12,
        failed=1,
        cancelled=0,
        success_rate=12 / 13,
        duration=Percentiles(p50=2.9, p95=6.4, p99=7.0),
    ),
    AgentView(
        agent_id="migration_strategist",
        title="Migration strategist",
        capabilities=["six_r"],
        prompt_version="1",
        health="ready",
        last_seen=_AT,
        input_schema={"type": "object", "properties": {"applications": {"type": "array"}}},
        output_schema={"type": "object", "properties": {"treatments": {"type": "object"}}},
    ),
    _BODY,
    CapabilityTaskBody(**{**_BODY.model_dump(), "capability": "six_r"}),
    _PROGRESS,
    _RESULT,
    _VIEW,
    AgentTaskDetail(**_VIEW.model_dump(), inputs=_INPUTS, result=_RESULT),
    AgentScheduleBody(**_SCHEDULE.model_dump(include=set(AgentScheduleBody.model_fields)), inputs=_INPUTS),
    _SCHEDULE,
    AgentScheduleDetail(
        **_SCHEDULE.model_dump(), inputs=_INPUTS, next_runs=[_AT, _AT + timedelta(days=1)], task_ids=[_VIEW.task_id]
    ),
    AgentNews(seq=42, type="agent_task.completed", at=_AT, task=_VIEW),
    AgentMonitor(flow_id=_FLOW, active=0, tasks=[_VIEW], next_poll_seconds=15),
)
