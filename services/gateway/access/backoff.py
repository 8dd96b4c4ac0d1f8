"""How long an account or a network address has to wait after failed logins."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

MEMORY = timedelta(hours=24)


@dataclass(frozen=True)
class Patience:
    """So many failures are free; the next one makes wait `first`, each further one twice as long, up to `most`."""

    free: int
    first: timedelta
    most: timedelta


# Some 80 guesses a day at most. Locked for good, anybody could shut anybody out by typing a wrong password.
ACCOUNT = Patience(free=4, first=timedelta(seconds=30), most=timedelta(minutes=20))
# Many people may share an address; whoever tries many accounts from one is stopped here.
SOURCE = Patience(free=30, first=timedelta(seconds=30), most=timedelta(hours=1))


@dataclass(frozen=True)
class Counter:
    """Failures in a row, the last of them, and until when nothing more is tried."""

    failures: int = 0
    failed_at: datetime | None = None
    locked_until: datetime | None = None


def wait(patience: Patience, failures: int) -> timedelta:
    """How long to wait after that many failures in a row."""
    beyond = failures - patience.free
    if beyond <= 0:
        return timedelta()
    # Capped before it is multiplied: a power of two has no limit, a timedelta has.
    return min(patience.most, patience.first * (1 << min(beyond - 1, 20)))


def seconds_locked(counter: Counter, now: datetime) -> int:
    """Whole seconds until something may be tried again; 0 if it may now."""
    if counter.locked_until is None or counter.locked_until <= now:
        return 0
    return int((counter.locked_until - now).total_seconds()) + 1


def after_failure(patience: Patience, counter: Counter, now: datetime) -> Counter:
    """The counter once more has failed; what lies a day back is forgotten."""
    forgotten = counter.failed_at is None or now - counter.failed_at > MEMORY
    failures = 1 if forgotten else counter.failures + 1
    waiting = wait(patience, failures)
    return Counter(failures, now, now + waiting if waiting else None)


def source_of(host: str | None) -> str:
    """What a network address counts as: itself, or of IPv6 the /64, of which one customer has all."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
