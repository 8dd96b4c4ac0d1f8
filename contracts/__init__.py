"""What the services say to each other. Importing this package registers every event."""

from contracts import (
    agent_tasks,
    assessment,
    assets,
    collection,
    discovery,
    flows,
    learning,
    lifecycle,
    modernization,
    operations,
    planning,
    quality,
    work,
)
from contracts.envelope import BlobRef, Event, Problem, Tenant

__all__ = [
    "BlobRef",
    "Event",
    "Problem",
    "Tenant",
    "agent_tasks",
    "assessment",
    "assets",
    "collection",
    "discovery",
    "flows",
    "learning",
    "lifecycle",
    "modernization",
    "operations",
    "planning",
    "quality",
    "work",
]
