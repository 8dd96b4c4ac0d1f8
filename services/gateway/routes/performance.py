"""How flows and phases of an engagement did: success, durations, retries, queue time; counted by the database."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Row, text

from contracts.rest_operations import FlowPerformance, Percentiles, PerformanceView, PhasePerformance
from services.chassis.errors import BadRequest
from services.gateway.routes.access import Reading

router = APIRouter(tags=["operations"])

DEFAULT_SPAN = timedelta(days=7)
_PERCENTILES = "percentile_cont(array[0.5, 0.95, 0.99]) within group (order by extract(epoch from {}))"

_FLOWS = text(f"""
    select flow_type,
        count(*) filter (where ended_at is null) as live,
        count(*) filter (where status = 'queued') as queued,
        count(ended_at) as runs,
        count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'cancelled') as cancelled,
        {_PERCENTILES.format("ended_at - started_at")} filter (where ended_at is not null) as duration,
        {_PERCENTILES.format("started_at - created_at")} filter (where started_at >= :since) as queue_time
    from gateway.flows where ended_at >= :since or ended_at is null
    group by flow_type order by flow_type
""")
# A flow that was retried has a phase once, as its newest round left it. As records: each `->>` would parse it anew.
_PHASES = text(f"""
    select flow_type, phase.name, min(position) as position, count(*) as runs,
        count(*) filter (where phase.status = 'completed') as completed,
        count(*) filter (where phase.status = 'failed') as failed,
        sum(greatest(attempt - 1, 0)) as retries,
        {_PERCENTILES.format("phase.finished_at - phase.started_at")} as duration
    from gateway.flows cross join lateral rows from (
        json_to_recordset(phases)
            as (name text, status text, attempt int, started_at timestamptz, finished_at timestamptz)
    ) with ordinality as phase (name, status, attempt, started_at, finished_at, position)
    where (flows.ended_at >= :since or flows.ended_at is null) and phase.finished_at >= :since
        and phase.status <> 'pending' and phase.started_at is not null
    group by 1, 2 order by 1, 3
""")


@router.get("/performance")
async def show_performance(
    session: Reading,
    since: Annotated[
        datetime | None, Query(description="What ended since then counts; by default the last seven days")
    ] = None,
) -> PerformanceView:
    """Success rates, duration percentiles, retries and queue times, by flow type and phase."""
    until = datetime.now(UTC)
    since = since or until - DEFAULT_SPAN
    if since.tzinfo is None:
        raise BadRequest("invalid_request", "query.since: say the offset too, as in 2026-11-20T00:00:00Z.")
    phases: dict[str, list[PhasePerformance]] = defaultdict(list)
    for row in await session.execute(_PHASES, {"since": since}):
        phases[row.flow_type].append(_phase(row))
    flows = [_flow(row, phases[row.flow_type]) for row in await session.execute(_FLOWS, {"since": since})]
    return PerformanceView(since=since, until=until, flow_types=flows)


def _flow(row: Row[Any], phases: list[PhasePerformance]) -> FlowPerformance:
    return FlowPerformance(
        **{name: getattr(row, name) for name in ("flow_type", "live", "queued", "runs", "cancelled")},
        **_success(row),
        duration=_percentiles(row.duration),
        queue_time=_percentiles(row.queue_time),
        phases=phases,
    )


def _phase(row: Row[Any]) -> PhasePerformance:
    return PhasePerformance(
        **{name: getattr(row, name) for name in ("name", "runs", "retries")},
        **_success(row),
        duration=_percentiles(row.duration),
    )


def _success(row: Row[Any]) -> dict[str, Any]:
    decided = row.completed + row.failed
    rate = row.completed / decided if decided else None
    return {"completed": row.completed, "failed": row.failed, "success_rate": rate}


def _percentiles(values: list[float | None] | None) -> Percentiles | None:
    if values is None or values[0] is None:
        return None
    # A clock that was set back in between is no negative duration.
    p50, p95, p99 = (round(max(0.0, float(value or 0)), 3) for value in values)
    return Percentiles(p50=p50, p95=p95, p99=p99)
