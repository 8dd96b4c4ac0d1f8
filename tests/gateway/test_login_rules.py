"""Waiting after failures, rotation of refresh tokens, and the schedule of signing keys: for any order of events."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.gateway.access.backoff import (
    ACCOUNT,
    MEMORY,
    SOURCE,
    Counter,
    Patience,
    after_failure,
    seconds_locked,
    source_of,
    wait,
)
from services.gateway.access.cookies import from_own_site
from services.gateway.access.key_schedule import (
    ACCESS_TOKEN,
    PUBLISHED_BEFORE,
    KeyTimes,
    next_times,
    signing,
    verifying,
)
from services.gateway.access.oidc_logins import derived, leads_back
from services.gateway.access.rotation import ABSOLUTE, IDLE, Family, alive, begun, presented, used

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


# Back-off


@pytest.mark.parametrize("patience", [ACCOUNT, SOURCE])
def test_the_first_failures_are_free_then_each_wait_is_twice_the_last_up_to_the_most(patience: Patience) -> None:
    waits = [wait(patience, failures) for failures in range(200)]
    free = patience.free
    assert waits[: free + 1] == [timedelta()] * (free + 1)
    assert waits[free + 1] == timedelta(seconds=30)
    assert all(b == min(2 * a, waits[-1]) for a, b in zip(waits[free + 1 :], waits[free + 2 :], strict=False))
    assert wait(patience, 10**9) == waits[-1]


def test_an_account_can_be_guessed_at_fewer_than_a_hundred_times_a_day() -> None:
    counter, now, guesses = Counter(), NOW, 0
    while now < NOW + timedelta(days=1):
        counter, guesses = after_failure(ACCOUNT, counter, now), guesses + 1
        now = max(now, counter.locked_until or now)
    assert guesses < 100


def test_failures_a_day_back_are_forgotten() -> None:
    counter = Counter(9, NOW, NOW + timedelta(minutes=10))
    assert after_failure(ACCOUNT, counter, NOW + MEMORY).failures == 10
    assert after_failure(ACCOUNT, counter, NOW + MEMORY + timedelta(seconds=1)) == Counter(
        1, NOW + MEMORY + timedelta(seconds=1)
    )


@given(st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(hours=2)))
def test_who_waits_as_long_as_told_is_not_told_to_wait_again(waiting: timedelta) -> None:
    counter = Counter(5, NOW, NOW + waiting)
    seconds = seconds_locked(counter, NOW)
    assert seconds >= 1
    assert seconds_locked(counter, NOW + timedelta(seconds=seconds)) == 0


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("gateway", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_source_is_an_address_or_the_network_of_one_customer(host: str | None, source: str) -> None:
    assert source_of(host) == source


# Refresh tokens


@dataclass
class Line:
    """A session as the database keeps it: its family, and its tokens with whether they were rotated."""

    family: Family
    tokens: list[bool] = field(default_factory=lambda: [False])


class RefreshFamilies(RuleBasedStateMachine):
    """Sessions begin, are used, robbed, ended and left alone, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.lines: list[Line] = []
        self.robbed: set[int] = set()

    @rule()
    def sign_in(self) -> None:
        self.lines.append(Line(begun(self.now)))

    @rule(passed=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=9)))
    def time_passes(self, passed: timedelta) -> None:
        self.now += passed

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def somebody_presents_any_token_there_ever_was(self, data: st.DataObject) -> None:
        which = data.draw(st.integers(0, len(self.lines) - 1))
        line = self.lines[which]
        token = data.draw(st.integers(0, len(line.tokens) - 1))
        was_alive, rotated = alive(line.family, self.now), line.tokens[token]
        outcome = presented(line.family, self.now, rotated=rotated)
        assert (outcome == "rotate") == (was_alive and not rotated)
        assert (outcome == "reused") == (was_alive and rotated)
        if outcome == "rotate":
            line.tokens[token] = True
            line.tokens.append(False)
            line.family = used(line.family, self.now)
        elif outcome == "reused":
            line.family = replace(line.family, ended=True)
            self.robbed.add(which)

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        line = data.draw(st.sampled_from(self.lines))
        line.family = replace(line.family, ended=True)

    @invariant()
    def one_token_of_a_session_is_good_at_most(self) -> None:
        for line in self.lines:
            good = [presented(line.family, self.now, rotated=rotated) == "rotate" for rotated in line.tokens]
            assert sum(good) <= 1
            assert not any(good[:-1])

    @invariant()
    def a_session_that_was_robbed_is_over_for_everybody(self) -> None:
        for which in self.robbed:
            assert not alive(self.lines[which].family, self.now)

    @invariant()
    def no_session_outlives_its_end_or_its_last_use(self) -> None:
        for line in self.lines:
            if alive(line.family, self.now):
                assert self.now < line.family.expires_at
                assert line.family.idle_until <= line.family.expires_at


TestRefreshFamilies = RefreshFamilies.TestCase
TestRefreshFamilies.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def test_a_session_lasts_a_month_if_used_and_a_week_if_not() -> None:
    family = begun(NOW)
    assert alive(family, NOW + IDLE - timedelta(seconds=1))
    assert not alive(family, NOW + IDLE)
    now = NOW
    while now < NOW + ABSOLUTE - timedelta(days=1):
        family, now = used(family, now), now + timedelta(days=1)
        assert alive(family, now)
    assert not alive(used(family, now), NOW + ABSOLUTE)


# Signing keys


@given(st.lists(st.timedeltas(min_value=timedelta(minutes=5), max_value=timedelta(days=80)), min_size=1, max_size=40))
def test_whenever_the_schedule_is_looked_at_some_key_signs_and_every_live_token_can_be_checked(
    pauses: list[timedelta],
) -> None:
    now, keys, issued = NOW, list[KeyTimes](), list[tuple[datetime, str]]()
    for number, pause in enumerate(pauses):
        while (times := next_times(keys, now)) is not None:
            keys.append(KeyTimes(f"{number}-{len(keys)}", *times))
        current = signing(keys, now)
        assert current is not None
        issued.append((now, current.kid))
        kept = {key.kid for key in verifying(keys, now)}
        assert {kid for at, kid in issued if now - at < ACCESS_TOKEN} <= kept
        keys = [key for key in keys if key.kid in kept]
        # What signs from tomorrow on is told today.
        soon = signing(keys, now + PUBLISHED_BEFORE - timedelta(seconds=1))
        assert soon is not None
        now += pause


# Ways back from a provider, and requests of browsers


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("http://127.0.0.1:8123/callback", True),
        ("http://[::1]:8123/", True),
        ("https://console.example/callback", True),
        ("https://console.example/callback/../evil", False),
        ("https://console.example/callback?x=1", False),
        ("http://127.0.0.1/callback", False),
        ("http://localhost:8123/callback", False),
        ("https://127.0.0.1:8123/callback", False),
        ("http://127.0.0.1:8123@evil.example/", False),
        ("http://evil.example:8123/127.0.0.1", False),
        ("http://user@127.0.0.1:8123/", False),
        ("http://127.0.0.1:99999/", False),
        ("javascript:alert(1)", False),
    ],
)
def test_people_are_sent_back_to_listed_addresses_and_loopback_alone(address: str, allowed: bool) -> None:
    assert leads_back(address, ["https://console.example/callback"]) is allowed


def test_state_nonce_and_verifier_of_a_login_tell_nothing_of_each_other() -> None:
    values = [derived("secret", use) for use in ("state", "nonce", "verifier")]
    assert len(set(values)) == 3
    assert all(len(value) == 43 for value in values)
    assert derived("secret", "state") != derived("secrets", "state")


@pytest.mark.parametrize(
    ("fetch_site", "origin", "own"),
    [
        ("same-origin", None, True),
        ("cross-site", "https://gateway.example", False),
        ("same-site", None, False),
        ("none", None, False),
        (None, "https://gateway.example", True),
        (None, "https://evil.example", False),
        (None, "null", False),
        (None, None, False),
    ],
)
def test_a_cookie_counts_only_for_pages_of_this_site(fetch_site: str | None, origin: str | None, own: bool) -> None:
    assert from_own_site(fetch_site, origin, "gateway.example") is own
