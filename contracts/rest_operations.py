"""What the REST interface takes and gives about schedules, limits and performance."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from contracts.rest import View
from contracts.rest_flows import FlowStart


class ScheduleBody(View):
    """A flow that the clock starts again and again."""

    name: str = Field(min_length=1, max_length=200)
    cron: str = Field(
        max_length=200,
        description="Minute, hour, day of month, month, day of week, as in crontab(5)",
        examples=["0 2 * * *"],
    )
    time_zone: str = Field(default="UTC", max_length=100, description="IANA name", examples=["Europe/Berlin"])
    start: FlowStart = Field(description="What POST /flows would be sent each time")
    enabled: bool = Field(default=True, description="Whether it starts flows now")


class ScheduleView(View):
    """A schedule and the next time at which it starts a flow."""

    schedule_id: UUID
    name: str
    cron: str
    time_zone: str
    start: dict[str, Any] = Field(description="What POST /flows would be sent each time")
    enabled: bool
    next_at: datetime | None = Field(description="Null while it is switched off")
    saved_by: str
    saved_at: datetime


class ScheduleDetail(ScheduleView):
    """A schedule with the flows that it started."""

    flow_ids: list[UUID] = Field(description="The newest ten, the last one first")


class LimitsBody(View):
    """How much of the platform an engagement may use at once."""

    weight: int = Field(
        default=1, ge=1, le=100, description="Its share where engagements compete; 1 is the ordinary one"
    )
    running_flows: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Flows that run at once; absent: the platform's default"
    )


class LimitsView(LimitsBody):
    """The limits of an engagement, and who set them."""

    saved_by: str | None = Field(default=None, description="Absent: nobody did, these are the defaults")
    saved_at: datetime | None = None


class Percentiles(View):
    """How long it took, in seconds: half of all took at most `p50`."""

    p50: float
    p95: float
    p99: float


class PhasePerformance(View):
    """How one phase did."""

    name: str
    runs: int = Field(description="How often it ended; the newest round of each flow counts")
    completed: int
    failed: int
    success_rate: float | None = Field(description="Of those that completed or failed; null if none did")
    retries: int = Field(description="Attempts beyond the first, also of rounds before")
    duration: Percentiles | None = Field(description="From its first attempt to its end")


class FlowPerformance(View):
    """How the flows of one type did."""

    flow_type: str
    live: int = Field(description="Flows that have not ended")
    queued: int = Field(description="Of these, those that wait for their turn")
    runs: int = Field(description="Flows that ended")
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None = Field(description="Of those that completed or failed; null if none did")
    duration: Percentiles | None = Field(description="From the beginning of the first phase to the end")
    queue_time: Percentiles | None = Field(description="From being asked for to the beginning of the first phase")
    phases: list[PhasePerformance]


class PerformanceView(View):
    """How flows and their phases did since a time."""

    since: datetime
    until: datetime
    flow_types: list[FlowPerformance]
