"""What was decided about a flow: its new state, the events that follow, and the journal's entry."""

from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from contracts.envelope import Event
from contracts.flows import TimelineEntry
from services.flow_orchestrator.state import STATE_CAP_BYTES, FlowState


@dataclass(frozen=True)
class Decision:
    """What follows from an event: the new state, what to send, and the entry for the journal.

    `deleted`: nothing of the flow stays. `checkpoint`: a new flow may be forked from this state.
    """

    state: FlowState
    events: tuple[Event, ...]
    entry: TimelineEntry
    cause_id: UUID | None = None
    deleted: bool = False

    @cached_property
    def stored(self) -> str:
        """The new state as its row holds it."""
        return self.state.dump()

    @property
    def size(self) -> int:
        """Bytes of the stored state, counted only where it may come near the cap."""
        return len(self.stored) if 4 * len(self.stored) < STATE_CAP_BYTES else len(self.stored.encode())

    @property
    def note(self) -> str:
        """The journal's line."""
        return self.entry.note
