"""What agents cost and how they did."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, String, cast, func, select, text

from contracts import rest
from contracts.rest_agents import AgentPerformance, CostLine, CostReport, CostsBy
from contracts.rest_operations import Percentiles
from services.chassis.errors import BadRequest
from services.gateway.agents.costs import NO_FLOW
from services.gateway.agents.tables import ModelCost
from services.gateway.routes.access import Reading

router = APIRouter(tags=["agents"])

DEFAULT_SPAN = timedelta(days=30)
PERFORMANCE_SPAN = timedelta(days=7)
MOST_LINES = 500
_KEYS: dict[CostsBy, ColumnElement[str]] = {
    "agent": cast(ModelCost.agent, String),
    "model": ModelCost.provider + "/" + ModelCost.model,
    "flow": cast(func.nullif(ModelCost.flow_id, NO_FLOW), String),
    "day": cast(ModelCost.day, String),
}
_SUMS = [
    func.coalesce(func.sum(getattr(ModelCost, name)), 0).label(name)
    for name in ("calls", "cached", "failed", "tokens_in", "tokens_out", "cost_usd")
]
# Of tasks that are not kept any more only how they ended is known, day by day.
_PERFORMANCE = text("""
    with kept as (
        select coalesce(agent, '') as agent, coalesce(engine, '') as engine, coalesce(model, '') as model,
            count(*) filter (where status = 'completed') as completed,
            count(*) filter (where status = 'failed') as failed,
            count(*) filter (where status = 'cancelled') as cancelled,
            percentile_cont(array[0.5, 0.95, 0.99])
                within group (order by greatest(0, extract(epoch from ended_at - started_at)))
                filter (where started_at is not null) as duration
        from gateway.agent_tasks where ended_at >= :since group by 1, 2, 3
    ), sums as (
        select agent, engine, model, sum(completed) as completed, sum(failed) as failed, sum(cancelled) as cancelled
        from gateway.agent_task_sums where day >= (cast(:since as timestamptz) at time zone 'UTC')::date
        group by 1, 2, 3
    )
    select nullif(agent, '') as agent, nullif(engine, '') as engine, nullif(model, '') as model,
        coalesce(kept.completed, 0) + coalesce(sums.completed, 0) as completed,
        coalesce(kept.failed, 0) + coalesce(sums.failed, 0) as failed,
        coalesce(kept.cancelled, 0) + coalesce(sums.cancelled, 0) as cancelled, duration
    from kept full join sums using (agent, engine, model) order by 1, 2, 3
""")


@router.get("/costs")
async def show_costs(
    session: Reading,
    by: Annotated[CostsBy, Query(description="What the lines are")] = "agent",
    since: Annotated[date | None, Query(description="The first day, in UTC; by default 30 days ago")] = None,
    until: Annotated[date | None, Query(description="The last day; by default today")] = None,
) -> CostReport:
    """What model calls cost, by agent, model, flow or day."""
    until = until or datetime.now(UTC).date()
    since = since or until - DEFAULT_SPAN
    if since > until:
        raise BadRequest("invalid_request", f"query.since: {since} is after until, {until}.")
    span = ModelCost.day.between(since, until)
    key = _KEYS[by].label("key")
    lines = select(key, *_SUMS).where(span).group_by(key).limit(MOST_LINES)
    lines = lines.order_by(key) if by == "day" else lines.order_by(func.sum(ModelCost.cost_usd).desc(), key)
    total = (await session.execute(select(*_SUMS).where(span))).one()
    return CostReport(
        by=by,
        since=since,
        until=until,
        total=CostLine(key=None, **total._mapping),
        lines=[CostLine.model_validate(row) for row in await session.execute(lines)],
    )


@router.get("/agent-performance")
async def show_agent_performance(
    session: Reading,
    since: Annotated[
        AwareDatetime | None, Query(description="Tasks that ended since then count; by default of seven days")
    ] = None,
) -> rest.Page[AgentPerformance]:
    """Success rates and durations of tasks, by agent and by what answered; all on one page.

    Of tasks that are older than `agent_task_retention_days`, whole days count, without durations.
    """
    begun = since or datetime.now(UTC) - PERFORMANCE_SPAN
    items = []
    for row in await session.execute(_PERFORMANCE, {"since": begun}):
        decided = row.completed + row.failed
        names = ("agent", "engine", "model", "completed", "failed", "cancelled")
        took = None if row.duration is None else [round(float(value), 3) for value in row.duration]
        items.append(
            AgentPerformance(
                **{name: getattr(row, name) for name in names},
                success_rate=row.completed / decided if decided else None,
                duration=None if took is None else Percentiles(p50=took[0], p95=took[1], p99=took[2]),
            )
        )
    return rest.Page(items=items)
