"""What is said about work that was handed out, whichever service does it."""

from pydantic import Field

from contracts.envelope import Event


class WorkCancelled(Event, type="work.cancelled"):
    """Work that was asked for before this must not go on, and what it made does not count.

    The envelope names it: `flow_id`, and its `step`, or no step for all work of the flow. A request that belongs to no
    flow is named by its own id. Work that is asked for later, such as when the flow is retried, runs.
    """

    reason: str = Field(description="Why, for people and logs")
