"""What models cost: calls are added up by day, agent, model and flow, as the agent runner's ledger tells them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agents import ModelCall, ModelCallsRecorded
from services.gateway.agents.tables import ModelCost
from services.gateway.handlers import service

NO_FLOW = UUID(int=0)
_KEY = ("day", "agent", "provider", "model", "flow_id")
_SUMS = ("calls", "cached", "failed", "tokens_in", "tokens_out", "cost_usd")


@service.on
async def show_costs(events: list[ModelCallsRecorded], session: AsyncSession) -> None:
    """Add calls to what was spent; each event counts once, so each call does."""
    rows = added_up(call for event in events for call in event.calls)
    if not rows:
        return
    statement = insert(ModelCost).values(rows)
    sums = {name: getattr(ModelCost, name) + getattr(statement.excluded, name) for name in _SUMS}
    key = ["client_account_id", "engagement_id", *_KEY]
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=sums))


def added_up(calls: Iterable[ModelCall]) -> list[dict[str, Any]]:
    """One row for the calls that are alike, in the order of their keys, so that no two batches wait in a circle."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(
        lambda: {**dict.fromkeys(_SUMS, 0), "cost_usd": Decimal(0)}
    )
    for call in calls:
        flow = call.flow_id or NO_FLOW
        row = sums[call.at.astimezone(UTC).date(), call.agent, call.provider, call.model, flow]
        row["calls"] += 1
        row["cached"] += call.cached
        row["failed"] += call.outcome != "ok"
        row["tokens_in"] += call.tokens_in
        row["tokens_out"] += call.tokens_out
        row["cost_usd"] += call.cost_usd
    return [{**dict(zip(_KEY, key, strict=True)), **sums[key]} for key in sorted(sums)]
