"""The outbox: events leave with the transaction that caused them, and only from here."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event
from services.chassis.rows import insert_rows, json_text
from services.chassis.tables import ServiceMetaData
from services.chassis.telemetry import current_traceparent


async def add_events(
    session: AsyncSession,
    metadata: ServiceMetaData,
    events: Sequence[Event],
    traces: Mapping[UUID, str] | None = None,
) -> None:
    """Write `events` with the current transaction, under the tenant that it entered.

    Their trace is what `traces` has for the event that caused them, else the current one.
    """
    if not events:
        return
    source, current, by_cause = f"/services/{metadata.service}", current_traceparent(), traces or {}
    rows = [
        {
            "routing_key": event.type_name,
            "event": event.to_json(
                source,
                event.traceparent or (by_cause.get(event.causation_id, current) if event.causation_id else current),
            ),
        }
        for event in events
    ]
    await insert_rows(session, metadata.outbox, rows)


async def add_directed(
    session: AsyncSession, metadata: ServiceMetaData, queue: str, message: dict[str, Any], delay: timedelta
) -> None:
    """Write a CloudEvent that goes to one queue only, no sooner than after `delay`."""
    row = {
        "routing_key": str(message.get("type", "")),
        "queue": queue,
        "event": json_text(message),
        "available_at": datetime.now(UTC) + delay,
    }
    await insert_rows(session, metadata.outbox, [row])
