"""What the services say to each other. Importing this package registers every event."""

from contracts import assessment, discovery, flows, operations, planning
from contracts.envelope import BlobRef, Event, Problem, Tenant

__all__ = ["BlobRef", "Event", "Problem", "Tenant", "assessment", "discovery", "flows", "operations", "planning"]
