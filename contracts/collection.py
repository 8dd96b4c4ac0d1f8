"""Collection: asking people and systems for what an inventory still lacks."""

from uuid import UUID

from pydantic import Field

from contracts.envelope import Event, Problem
from contracts.lifecycle import StartOptions


class CollectionRequested(Event, type="collection.requested"):
    """Collect what the inventory of a discovery lacks."""

    discovery_flow_id: UUID
    fields: list[str] = Field(default=[], description="Ids of canonical fields; empty: whatever is missing")
    options: StartOptions = StartOptions()


class CollectionStarted(Event, type="collection.started", public=True):
    """A collection flow began."""

    discovery_flow_id: UUID


class CollectionCompleted(Event, type="collection.completed", public=True):
    """A collection flow ended well: the answers are part of the inventory."""

    answers_merged: int


class CollectionFailed(Event, type="collection.failed", public=True):
    """A collection flow ended without its answers."""

    problem: Problem
