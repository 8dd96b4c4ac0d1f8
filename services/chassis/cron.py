"""When a cron expression comes due in a time zone, right across the days on which its clocks change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from services.chassis.errors import ExpectedFailure

FIELDS = 5
# How far back a missed time is looked for at first; an expression that comes rarely needs more.
_LOOK_BACK = (timedelta(hours=2), timedelta(days=2), timedelta(days=70), timedelta(days=800))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def check(cron: str, time_zone: str) -> None:
    """Raise `ExpectedFailure`, naming the place, unless this is a time that comes."""
    if time_zone not in _zones():
        raise ExpectedFailure("bad_time_zone", f"time_zone: {time_zone!r} is no IANA time zone such as Europe/Berlin.")
    if len(cron.split()) != FIELDS:
        raise ExpectedFailure(
            "bad_cron",
            f"cron: {cron!r} does not have five fields: minute, hour, day of month, month, day of week.",
        )
    try:
        comes = next(_times(cron, time_zone, datetime.now(UTC)), None)
    # `1#2/2` and the like pass its parser and trip over an assertion or a comparison of its own.
    except (CronSimError, AssertionError, TypeError, ValueError) as error:
        reason = str(error) or "Bad combination"
        raise ExpectedFailure("bad_cron", f"cron: {reason} in {cron!r}.") from error
    if comes is None:
        raise ExpectedFailure("bad_cron", f"cron: {cron!r} never comes.")


def following(cron: str, time_zone: str, after: datetime) -> datetime | None:
    """The first time after `after` at which the expression is due, in UTC; None if it never is again.

    As in Debian's cron: a fixed time that the clocks leave out comes right after the gap, one that they go through
    twice comes once; intervals (`*/15 * * * *`) go by what passes, not by the clock.
    """
    return next(_times(cron, time_zone, after), None)


def upcoming(cron: str, time_zone: str, after: datetime, most: int) -> list[datetime]:
    """The first `most` times after `after`, in UTC."""
    return list(islice(_times(cron, time_zone, after), most))


def passed(cron: str, time_zone: str, after: datetime, until: datetime, most: int) -> int:
    """How many times are after `after` and not after `until`; no more than `most` are counted."""
    times = takewhile(lambda due: due <= until, _times(cron, time_zone, after))
    return sum(1 for _ in islice(times, most))


def latest(cron: str, time_zone: str, first: datetime, until: datetime) -> datetime:
    """The last time due up to `until`, which is not before `first`; `first` is a time at which it was due."""
    for span in (*_LOOK_BACK, until - first):
        after = max(first, until - span)
        last: datetime | None = None
        for due in _times(cron, time_zone, after):
            if due > until:
                break
            last = due
        if last is not None or after == first:
            return last or first
    return first


def taken(cron: str, time_zone: str, first: datetime, now: datetime) -> tuple[datetime, datetime | None]:
    """Of a schedule that has been due since `first`: the last time that has come, and the next, if there is one.

    Raises `ExpectedFailure` for what can be read no more.
    """
    check(cron, time_zone)
    return latest(cron, time_zone, first, now), following(cron, time_zone, now)


def _times(cron: str, time_zone: str, after: datetime) -> Iterator[datetime]:
    last = after
    for local in CronSim(cron, after.astimezone(ZoneInfo(time_zone))):
        due = local.astimezone(UTC)
        # In the hour that clocks go through twice the first pass is over; what falls into a gap comes once.
        if due > last:
            yield due
            last = due
