"""What Prometheus may know of flows as they pass by: how long phases and flows took, how often they were retried."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from contracts.flows import FlowUpdated

COUNTERS = CollectorRegistry()
_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 43_200, 86_400, 604_800)
_PHASES = Histogram(
    "modernize_phase_duration_seconds",
    "From a phase's first attempt to its end",
    ["flow_type", "phase", "status"],
    registry=COUNTERS,
    buckets=_BUCKETS,
)
_RETRIES = Counter(
    "modernize_phase_retries_total",
    "Attempts beyond the first of phases that ended",
    ["flow_type", "phase"],
    registry=COUNTERS,
)
_DURATION = Histogram(
    "modernize_flow_duration_seconds",
    "From the beginning of a flow's first phase to the flow's end",
    ["flow_type", "status"],
    registry=COUNTERS,
    buckets=_BUCKETS,
)
_QUEUE_TIME = Histogram(
    "modernize_flow_queue_seconds",
    "From being asked for to the beginning of the first phase",
    ["flow_type"],
    registry=COUNTERS,
    buckets=_BUCKETS,
)


def observe(events: Iterable[FlowUpdated]) -> None:
    """Count what these decisions ended or began: what bears the time of the decision itself.

    Each process counts what it hears; a message that has to be taken again because of a fault counts again.
    """
    for event in events:
        if event.entry is None:
            continue
        at, kind = event.entry.at, event.flow_type
        for phase in event.phases:
            if phase.finished_at == at and phase.started_at is not None and phase.status != "pending":
                took = (phase.finished_at - phase.started_at).total_seconds()
                _PHASES.labels(kind, phase.name, phase.status).observe(took)
                _RETRIES.labels(kind, phase.name).inc(max(0, phase.attempt - 1))
        if event.started_at == at and event.forked_from is None:
            _QUEUE_TIME.labels(kind).observe((at - event.created_at).total_seconds())
        if event.ended_at == at and event.started_at is not None:
            _DURATION.labels(kind, event.status).observe((at - event.started_at).total_seconds())
