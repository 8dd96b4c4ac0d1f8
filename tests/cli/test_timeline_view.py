"""A flow's timeline as people see it, on wide and on narrow terminals."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from contracts.rest_flows import TimelineItem
from services.cli import timeline_view as view

FLOW = UUID(int=1)
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def item(seq: int, note: str, **more: Any) -> TimelineItem:
    nothing = {"actor": None, "phase": None, "waits_for": None, "waits_until": None, "checkpoint": False}
    about = {"seq": seq, "at": AT, "cause": "clock", "status": "running", "note": note}
    return TimelineItem.model_validate({**nothing, **about, **more})


def shown(items: list[TimelineItem], width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    console = Console(width=width, record=True, force_terminal=False)
    monkeypatch.setattr(view, "out", console)
    with console.capture() as capture:
        console.print(view.timeline_view(items))
    return " ".join(capture.get().split())


ITEMS = [
    item(1, "data_import completed", checkpoint=True, cause="data_import.completed", waits_for="a person"),
    item(2, "paused", actor="ada", cause="flow_control.requested", status="paused"),
    item(2, "skip was refused: no", actor="bob", refused=True),
    item(3, "deadline exceeded", status="failed"),
]


@pytest.mark.parametrize("width", [60, 80, 150])
def test_everything_is_told_on_every_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(ITEMS, width, monkeypatch)
    for words in ("◆", "✗", "a person", "ada", "bob", "the clock", "paused"):
        assert words in text


def test_a_refusal_has_no_number_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "✗ 2026" in shown(ITEMS[2:3], 150, monkeypatch)


def test_the_last_checkpoint_is_where_to_fork() -> None:
    hint = view.fork_hint(FLOW, [*ITEMS, item(4, "x", checkpoint=True)])
    assert hint is not None
    assert hint.endswith(f"flows fork {FLOW} --at 4")
    assert view.fork_hint(FLOW, ITEMS[1:]) is None


def test_a_flow_to_which_nothing_happened_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown([], 80, monkeypatch) == "Nothing has happened to this flow yet."
