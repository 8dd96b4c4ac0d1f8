"""What Prometheus may know of the read model: flows by type and status, the queue, dead letters."""

from collections import Counter

from prometheus_client import Metric
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.metrics import gauge
from services.gateway.handlers import service

# Tenants with the most live flows that have series of their own; the others are one together.
OWN_SERIES = 100
_ENDED = ("completed", "failed", "cancelled")
_OTHERS = ("others", "others")

_FLOWS = text("""
    select client_account_id, engagement_id, flow_type, status, count(*) as flows,
        extract(epoch from now() - min(created_at)) as oldest
    from gateway.flows group by 1, 2, 3, 4
""")
_LETTERS = text("select service, status, count(*) as letters from gateway.dead_letters group by 1, 2 order by 1, 2")


@service.measure
async def count_flows(connection: AsyncConnection) -> list[Metric]:
    """Flows by type and status, how long the queue is, and which tenants have how many live ones."""
    flows = gauge("flows", "Flows by type and status", ["flow_type", "status"])
    queued = gauge("queued_flows", "Flows that wait for their turn", [])
    oldest = gauge("oldest_queued_flow_seconds", "For how long the flow that queues longest has done so", [])
    tenants = gauge(
        "tenant_live_flows",
        f"Flows that have not ended, of the {OWN_SERIES} engagements that have most",
        ["client_account_id", "engagement_id"],
    )
    by_kind: Counter[tuple[str, str]] = Counter()
    by_tenant: Counter[tuple[str, str]] = Counter()
    waited = 0.0
    for row in await connection.execute(_FLOWS):
        by_kind[row.flow_type, row.status] += row.flows
        if row.status not in _ENDED:
            by_tenant[str(row.client_account_id), str(row.engagement_id)] += row.flows
        if row.status == "queued":
            waited = max(waited, float(row.oldest))
    for kind, count in sorted(by_kind.items()):
        flows.add_metric(kind, count)
    queued.add_metric([], sum(count for (_, status), count in by_kind.items() if status == "queued"))
    oldest.add_metric([], waited)
    most = by_tenant.most_common(OWN_SERIES)
    for tenant, count in most:
        tenants.add_metric(tenant, count)
    if rest := by_tenant.total() - sum(count for _, count in most):
        tenants.add_metric(_OTHERS, rest)
    return [flows, queued, oldest, tenants]


@service.measure
async def count_dead_letters(connection: AsyncConnection) -> list[Metric]:
    """Events that were set aside, by the service that did so."""
    letters = gauge("dead_letters", "Events that were set aside", ["service", "status"])
    for row in await connection.execute(_LETTERS):
        letters.add_metric([row.service, row.status], row.letters)
    return [letters]
