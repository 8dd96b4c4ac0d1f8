"""Refresh tokens rotate: what becomes of one that is presented. Pure, so that every order of events can be tried.

There is no grace for an answer that was lost, because a thief would have it, too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

# A session that nobody used for that long has ended; and none lasts longer than the second, used or not.
IDLE = timedelta(days=7)
ABSOLUTE = timedelta(days=30)

Outcome = Literal["rotate", "reused", "refused"]


@dataclass(frozen=True)
class Family:
    """A session: all refresh tokens that came one from another."""

    expires_at: datetime
    idle_until: datetime
    ended: bool = False


def begun(now: datetime) -> Family:
    """The family of a new session."""
    return Family(expires_at=now + ABSOLUTE, idle_until=now + IDLE)


def used(family: Family, now: datetime) -> Family:
    """The family once a token of it was rotated."""
    return Family(family.expires_at, min(now + IDLE, family.expires_at), family.ended)


def alive(family: Family, now: datetime) -> bool:
    """Whether tokens of the family are good for anything."""
    return not family.ended and now < min(family.expires_at, family.idle_until)


def presented(family: Family, now: datetime, *, rotated: bool) -> Outcome:
    """What a token of this family gets; `rotated`: it was used before.

    There is no grace for an answer that was lost: the server cannot tell a client that asks again from a thief who was
    quicker, so whoever lost an answer signs in again (RFC 9700, section 4.14.2).
    """
    if not alive(family, now):
        return "refused"
    return "reused" if rotated else "rotate"
