"""What Prometheus may know of a service: how much waits and runs, and how old it is. No tenant's data, ids aside."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.runtime import Runtime

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_OUTBOX = """
    select count(*) as rows, count(*) filter (where available_at > now()) as later,
        coalesce(extract(epoch from now() - min(available_at) filter (where available_at <= now())), 0) as age
    from {service}.outbox
"""
_WORK = """
    select count(*) filter (where lease_until >= now()) as running,
        count(*) filter (where lease_until is null or lease_until < now()) as waiting,
        coalesce(extract(epoch from now() - min(requested_at)
            filter (where lease_until is null or lease_until < now())), 0) as age
    from {service}.work
"""


async def exposition(runtimes: Sequence[Runtime], counters: Sequence[Collector] = ()) -> bytes:
    """The metrics of these services in Prometheus' text format; `counters` are those that a process keeps itself."""
    families: dict[str, Metric] = {}
    for runtime in runtimes:
        async with runtime.database.dispatch() as connection:
            found = await _of_service(connection, runtime.service.name)
            for measure in runtime.service.measures:
                found += await measure(connection)
        for family in found:
            known = families.setdefault(family.name, family)
            if known is not family:
                known.samples += family.samples
    return generate_latest(_Families([*families.values(), *(each for one in counters for each in one.collect())]))


class _Families(Collector):
    """What was measured, as the library wants it handed over."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """All of it."""
        yield from self._families


def gauge(name: str, description: str, labels: Sequence[str]) -> GaugeMetricFamily:
    """A family of values that go up and down; every name begins with `modernize_`."""
    return GaugeMetricFamily(f"modernize_{name}", description, labels=labels)


async def _of_service(connection: AsyncConnection, service: str) -> list[Metric]:
    # nosemgrep: raw-sql - names of ours, no values
    outbox = (await connection.execute(text(_OUTBOX.format(service=service)))).one()
    # nosemgrep: raw-sql - names of ours, no values
    work = (await connection.execute(text(_WORK.format(service=service)))).one()
    values = (
        ("outbox_rows", "Events that have not been confirmed by the bus, those to be tried later too", outbox.rows),
        ("outbox_retry_rows", "Events in the outbox that are to be tried later", outbox.later),
        ("outbox_oldest_seconds", "For how long the oldest event that is due has waited for the bus", outbox.age),
        ("work_running", "Pieces of long work that somebody does now", work.running),
        ("work_waiting", "Pieces of long work that nobody does now", work.waiting),
        ("work_oldest_waiting_seconds", "How long ago the oldest piece that waits was asked for", work.age),
    )
    families: list[Metric] = []
    for name, description, value in values:
        family = gauge(name, description, ["service"])
        family.add_metric([service], float(value))
        families.append(family)
    return families
