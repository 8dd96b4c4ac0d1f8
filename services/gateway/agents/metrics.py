"""What Prometheus may know of agents and models; nothing of tenants, and of models a bounded number."""

from prometheus_client import Metric
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.metrics import gauge
from services.gateway.handlers import service

# Models and agents that have series of their own; the others are one together.
OWN_SERIES = 50
OTHERS = "others"

_TASKS = text("select coalesce(agent, '') as agent, status, count(*) as tasks from gateway.agent_tasks group by 1, 2")
_MODELS = text("""
    select provider, model, sum(calls) as calls, sum(cached) as cached, sum(failed) as failed,
        sum(tokens_in) as tokens_in, sum(tokens_out) as tokens_out, sum(cost_usd) as cost
    from gateway.model_costs group by 1, 2 order by calls desc, 1, 2
""")


@service.measure
async def count_agent_tasks(connection: AsyncConnection) -> list[Metric]:
    """Tasks that are kept, by agent and status."""
    tasks = gauge(
        "agent_tasks", f"Tasks that are kept, by agent and status, of {OWN_SERIES} agents", ["agent", "status"]
    )
    rows = (await connection.execute(_TASKS)).all()
    own = sorted({row.agent for row in rows})[:OWN_SERIES]
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row.agent if row.agent in own else OTHERS, row.status)
        counts[key] = counts.get(key, 0) + row.tasks
    for labels, count in sorted(counts.items()):
        tasks.add_metric(list(labels), count)
    return [tasks]


@service.measure
async def count_model_calls(connection: AsyncConnection) -> list[Metric]:
    """Calls, tokens and dollars by model."""
    labels = ["provider", "model"]
    about = f"of the {OWN_SERIES} models with most calls"
    calls = gauge("model_calls", f"Calls by how they were answered, {about}", [*labels, "answer"])
    tokens = gauge("model_tokens", f"Tokens in and out, {about}", [*labels, "direction"])
    cost = gauge("model_cost_usd", f"Dollars, {about}", labels)
    sums: dict[tuple[str, str], list[float]] = {}
    for number, row in enumerate(await connection.execute(_MODELS)):
        key = (row.provider, row.model) if number < OWN_SERIES else (OTHERS, OTHERS)
        values = (row.calls - row.cached - row.failed, row.cached, row.failed, row.tokens_in, row.tokens_out, row.cost)
        known = sums.setdefault(key, [0.0] * len(values))
        sums[key] = [before + float(value) for before, value in zip(known, values, strict=True)]
    for key, (answered, cached, failed, tokens_in, tokens_out, dollars) in sums.items():
        for name, value in (("model", answered), ("cache", cached), ("none", failed)):
            calls.add_metric([*key, name], value)
        tokens.add_metric([*key, "in"], tokens_in)
        tokens.add_metric([*key, "out"], tokens_out)
        cost.add_metric(list(key), dollars)
    return [calls, tokens, cost]
