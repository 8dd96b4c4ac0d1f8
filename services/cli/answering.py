"""Waiting for what a service was asked over REST and answers later."""

import time
from collections.abc import Callable
from typing import TypeVar

from services.cli.terminal import CommandFailed, err

T = TypeVar("T")

LOOK_SECONDS = 0.3


def answered(
    doing: str, look: Callable[[], T], pending: Callable[[T], bool], patience_seconds: float, late: CommandFailed
) -> T:
    """What `look` gives once it is no longer `pending`, while `doing` is shown; raises `late` after the patience."""
    begun = time.monotonic()
    with err.status(doing):
        while pending(found := look()):
            if time.monotonic() - begun > patience_seconds:
                raise late
            time.sleep(LOOK_SECONDS)
    return found
