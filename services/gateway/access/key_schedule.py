"""When signing keys begin and end: the next one is told a day before it signs, an old one until its tokens ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SIGNS = timedelta(days=30)
# As long as a verifier may keep a copy of the key set.
PUBLISHED_BEFORE = timedelta(days=1)
ACCESS_TOKEN = timedelta(minutes=10)
CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True)
class KeyTimes:
    """A key and the time for which it signs."""

    kid: str
    signs_from: datetime
    signs_until: datetime


def signing(keys: Sequence[KeyTimes], now: datetime) -> KeyTimes | None:
    """The key that signs now: of several the one that began last."""
    current = [key for key in keys if key.signs_from <= now < key.signs_until]
    return max(current, key=lambda key: (key.signs_from, key.kid), default=None)


def verifying(keys: Sequence[KeyTimes], now: datetime) -> list[KeyTimes]:
    """The keys by which tokens may be signed that have not ended, and the next one."""
    return [key for key in keys if now < key.signs_until + ACCESS_TOKEN + CLOCKS_DIFFER]


def next_times(keys: Sequence[KeyTimes], now: datetime) -> tuple[datetime, datetime] | None:
    """From when until when a key has to sign that should be made now; None while there is one for the next day."""
    last = max((key.signs_until for key in keys), default=now)
    if last - now > PUBLISHED_BEFORE:
        return None
    begins = max(last, now)
    return begins, begins + SIGNS
