"""When a delivery is tried again, and when it is given up."""

from datetime import timedelta

import pytest

from services.gateway.webhooks.rules import BACK_OFF, Outcome, next_wait


@pytest.mark.parametrize("tries", range(1, len(BACK_OFF) + 1))
def test_the_waits_are_those_of_the_standard_give_or_take_a_tenth(tries: int) -> None:
    waits = [next_wait(tries, Outcome(1, status_code=500), chance) for chance in (0.0, 0.5, 1.0)]
    assert waits == [BACK_OFF[tries - 1] * factor for factor in (0.9, 1.0, 1.1)]


def test_the_schedule_ends_a_gone_endpoint_ends_it_and_a_longer_wait_is_granted() -> None:
    failed = Outcome(1, status_code=500)
    assert next_wait(len(BACK_OFF) + 1, failed) is None
    assert next_wait(1, Outcome(1, status_code=410)) is None
    assert next_wait(1, Outcome(1, status_code=429, retry_after=timedelta(hours=1))) == timedelta(hours=1)
    assert sum(BACK_OFF, timedelta(0)) > timedelta(days=3)


def test_only_a_status_of_success_is_taken() -> None:
    taken = [status for status in range(100, 600) if Outcome(1, status_code=status).taken]
    assert taken == list(range(200, 300))
    assert not Outcome(1).taken
