"""Waits that tests of the chassis do not sit through."""

from datetime import timedelta

import pytest

from services.chassis import consumer, relay, work
from services.chassis.bus import rabbitmq


@pytest.fixture
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five retries as in production, but at once."""
    at_once = [timedelta(0)] * len(consumer.BACK_OFF)
    monkeypatch.setattr(consumer, "BACK_OFF", at_once)
    monkeypatch.setattr(work, "BACK_OFF", at_once)
    monkeypatch.setattr(work, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(relay, "FAILURE_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(relay, "UNSENT_PAUSE", timedelta(milliseconds=50))
    monkeypatch.setattr(rabbitmq, "RETRY_SECONDS", (0.05,))
