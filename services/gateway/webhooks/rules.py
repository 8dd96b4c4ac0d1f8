"""What becomes of a delivery, decided without I/O: who gets an event, when it is tried again, when it is given up."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from contracts.envelope import EVENT_TYPES

# The waits before each further attempt that Standard Webhooks recommends: nine more in three days and three hours.
BACK_OFF = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
# So that what failed together does not come again together.
JITTER = 0.1
LONGEST_WAIT = timedelta(days=1)
# The endpoint says that it will never want anything again (Standard Webhooks, "Deliverability and reliability").
GONE = 410


@dataclass(frozen=True)
class Outcome:
    """What an endpoint answered, or why it did not."""

    duration_ms: int
    status_code: int | None = None
    problem: str | None = None
    answer: str = ""
    retry_after: timedelta | None = None

    @property
    def taken(self) -> bool:
        """Whether the endpoint has the event: only 2xx says so, a redirect does not."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def reason(self) -> str | None:
        """Why it does not have it."""
        if self.taken:
            return None
        return self.problem or f"It answered with the status {self.status_code}."


def wants(event_types: Sequence[str], event_type: str) -> bool:
    """Whether an endpoint with this choice gets such an event; choosing nothing is choosing all."""
    return not event_types or event_type in event_types


def host_of(url: str) -> str:
    """What of an endpoint's URL may be told: the rest may be a secret."""
    return urlsplit(url).hostname or ""


def public_types() -> list[str]:
    """The events that endpoints can choose from."""
    return sorted(name for name, event in EVENT_TYPES.items() if event.public)


def next_wait(tries: int, outcome: Outcome, chance: float | None = None) -> timedelta | None:
    """How long to wait after this many tries, or None where it is given up; an endpoint may ask for longer waits."""
    if tries > len(BACK_OFF) or outcome.status_code == GONE:
        return None
    spread = 1 + JITTER * (2 * (secrets.randbelow(1_001) / 1_000 if chance is None else chance) - 1)
    return min(max(BACK_OFF[tries - 1] * spread, outcome.retry_after or timedelta(0)), LONGEST_WAIT * (1 + JITTER))
