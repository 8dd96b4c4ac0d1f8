"""Cron expressions: what is refused, and what happens on the days on which clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis import cron
from services.chassis.errors import ExpectedFailure

BERLIN = "Europe/Berlin"
ZONES = st.sampled_from(
    [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "America/Sao_Paulo"]
)
EXPRESSIONS = st.sampled_from(
    [
        *("* * * * *", "*/15 * * * *", "30 2 * * *", "0,30 2 * * *", "0 */6 * * *", "15 1-3 * * SUN", "0 9 L * *"),
        *("0 0 29 2 *", "0 12 * * MON#1", "59 23 31 12 *"),
    ]
)
TIMES = st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    datetime(2028, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("61 * * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 0 32 * *", "day-of-month"),
        ("0 0 * 13 *", "month"),
        ("0 0 * * 9", "day-of-week"),
        ("0 0 30 2 *", "day-of-month"),
        ("*/0 * * * *", "minute"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("", "five fields"),
        ("@daily", "five fields"),
        ("x * * * *", "minute"),
    ],
)
def test_a_malformed_expression_is_refused_with_its_place(expression: str, place: str) -> None:
    with pytest.raises(ExpectedFailure, match=rf"^cron: .*{place}"):
        cron.check(expression, BERLIN)


@pytest.mark.parametrize("zone", ["Berlin", "", "CEST", "/etc/passwd", "../x", "Europe", "europe/berlin"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ExpectedFailure, match=r"^time_zone: "):
        cron.check("0 9 * * *", zone)


@given(st.text("0123456789*/,-#LW SUNMO²", max_size=20) | st.text(max_size=20))
def test_no_text_breaks_the_check(expression: str) -> None:
    refused = None
    try:
        cron.check(expression, BERLIN)
    except ExpectedFailure as failure:
        refused = failure.problem.code
    assert refused in (None, "bad_cron")
    if refused is None:
        assert cron.following(expression, BERLIN, datetime.now(UTC)) is not None


def test_a_time_that_the_clocks_leave_out_comes_right_after_the_gap() -> None:
    # In Berlin 02:00-03:00 does not exist on 29 March 2026.
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    due = cron.following("30 2 * * *", BERLIN, before)
    assert due == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert cron.following("30 2 * * *", BERLIN, due) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)


def test_a_time_that_the_clocks_go_through_twice_comes_once() -> None:
    # In Berlin 02:30 comes at 00:30 and at 01:30 UTC on 25 October 2026.
    due = cron.following("30 2 * * *", BERLIN, datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert due == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second_pass = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    for after in (due, second_pass):
        assert cron.following("30 2 * * *", BERLIN, after) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_an_interval_goes_by_what_passes() -> None:
    due = datetime(2026, 10, 24, 23, tzinfo=UTC)
    for _ in range(16):
        following = cron.following("*/15 * * * *", BERLIN, due)
        assert following is not None
        assert following - due == timedelta(minutes=15)
        due = following


@given(EXPRESSIONS, ZONES, TIMES)
def test_what_follows_is_later_and_the_same_from_any_time_before_it(
    expression: str, zone: str, after: datetime
) -> None:
    due = cron.following(expression, zone, after)
    assert due is not None
    assert due > after
    assert due.second == due.microsecond == 0
    assert cron.following(expression, zone, due - timedelta(seconds=1)) == due


@given(EXPRESSIONS, ZONES, TIMES, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_the_latest_missed_time_is_the_last_of_all(
    expression: str, zone: str, start: datetime, outage: timedelta
) -> None:
    first = cron.following(expression, zone, start)
    assert first is not None
    until = max(first, start + outage)
    if until - first > timedelta(hours=6) and expression == "* * * * *":
        until = first + timedelta(hours=6)
    last, due = first, cron.following(expression, zone, first)
    while due is not None and due <= until:
        last, due = due, cron.following(expression, zone, due)
    assert cron.latest(expression, zone, first, until) == last


# Thirty leap days are far apart.
@settings(deadline=None)
@given(EXPRESSIONS, ZONES, TIMES, st.integers(0, 40))
def test_times_that_passed_are_those_that_came(expression: str, zone: str, after: datetime, most: int) -> None:
    times = cron.upcoming(expression, zone, after, 30)
    assert times == sorted(set(times))
    assert times[0] > after
    assert times[0] == cron.following(expression, zone, after)
    assert cron.passed(expression, zone, after, times[-1], most) == min(most, 30)
    assert cron.passed(expression, zone, after, times[-1] - timedelta(seconds=1), most) == min(most, 29)
