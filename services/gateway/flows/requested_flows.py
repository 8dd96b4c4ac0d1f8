"""Flows that were asked for and that the orchestrator has not taken yet: shown at once, and not too many of them."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event
from contracts.lifecycle import FlowStatus, StartOptions
from services.gateway.problems import TryLater
from services.gateway.tables import Flow

# A queue of that length moves by hundreds of flows meanwhile.
RETRY_AFTER_SECONDS = 10


class TooManyFlows(TryLater):
    """The caller's tenant is asking for flows faster than they begin."""

    status = 429


async def show_requested(
    session: AsyncSession,
    request: Event,
    flow_type: str,
    options: StartOptions,
    *,
    parent_flow_id: UUID | None = None,
    forked_from: UUID | None = None,
) -> None:
    """Show the flow that `request` asks for, until the first news of it."""
    row: dict[str, Any] = {
        "flow_id": request.flow_id,
        "flow_type": flow_type,
        "revision": 0,
        "status": _status(options, request),
        "phases": [],
        "waits_for": "the flow orchestrator",
        "parent_flow_id": parent_flow_id,
        "forked_from": forked_from,
        "version": options.version,
        "priority": options.priority,
        "concurrency_key": options.concurrency_key,
        "correlation_id": options.correlation_id,
        "deadline": options.deadline,
        "created_at": request.time,
    }
    await session.execute(insert(Flow).values(row).on_conflict_do_nothing())


def _status(options: StartOptions, request: Event) -> FlowStatus:
    if options.hold:
        return "created"
    return "scheduled" if options.start_at is not None and options.start_at > request.time else "queued"


async def check_queue(session: AsyncSession, limit: int) -> None:
    """Raise `TooManyFlows` if `limit` flows of the tenant have not begun."""
    queued = select(Flow.flow_id).where(Flow.status == "queued").limit(limit).subquery()
    if (await session.execute(select(func.count()).select_from(queued))).scalar_one() >= limit:
        detail = (
            f"{limit:,} flows of this engagement have not begun yet, which is as many as may queue. Wait until some"
            " have, or cancel some."
        )
        raise TooManyFlows("too_many_queued_flows", detail, seconds=RETRY_AFTER_SECONDS)
