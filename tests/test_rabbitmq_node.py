"""Where the tests' broker comes from."""

import json
from pathlib import Path

import pytest

from tests import rabbitmq_node
from tests.rabbitmq_node import DEFAULT_URL, SharedBroker, Source, answers, free_port, source_of


@pytest.mark.parametrize(
    ("configured", "local", "installed", "installable", "expected"),
    [
        ("amqp://there/", True, True, True, Source.CONFIGURED),
        (None, True, True, True, Source.LOCAL),
        ("", True, True, True, Source.LOCAL),
        (None, False, True, True, Source.PRIVATE_NODE),
        (None, False, False, True, Source.INSTALLATION),
        (None, False, False, False, Source.NOWHERE),
    ],
)
def test_the_first_source_that_there_is_wins(
    configured: str | None, local: bool, installed: bool, installable: bool, expected: Source
) -> None:
    assert source_of(configured, lambda: local, lambda: installed, lambda: installable) is expected


def test_nothing_is_asked_once_the_answer_is_known() -> None:
    def asked() -> bool:
        raise AssertionError("not needed")

    assert source_of("amqp://there/", asked, asked, asked) is Source.CONFIGURED
    assert source_of(None, lambda: True, asked, asked) is Source.LOCAL


def test_where_nobody_listens_nobody_answers() -> None:
    assert not answers(f"amqp://guest:guest@127.0.0.1:{free_port()}/")


def test_a_configured_address_is_taken_as_it_is(tmp_path: Path) -> None:
    assert SharedBroker(tmp_path / "shared").url("amqp://there/") == "amqp://there/"


def test_only_the_first_process_of_a_run_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq_node, "answers", lambda url: url == DEFAULT_URL)
    assert SharedBroker(tmp_path / "shared").url(None) == DEFAULT_URL
    monkeypatch.setattr(rabbitmq_node, "answers", lambda url: False)
    assert SharedBroker(tmp_path / "shared").url(None) == DEFAULT_URL


def test_where_no_broker_can_be_had_there_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq_node, "answers", lambda url: False)
    monkeypatch.setattr(rabbitmq_node, "installed_server", lambda: None)
    monkeypatch.setattr(rabbitmq_node, "can_install", lambda: False)
    assert SharedBroker(tmp_path / "shared").url(None) is None


def test_the_end_removes_what_was_kept_and_ends_no_foreign_broker(tmp_path: Path) -> None:
    broker = SharedBroker(tmp_path / "shared")
    broker.url("amqp://there/")
    assert json.loads((tmp_path / "shared" / "state.json").read_text()) == {"url": "amqp://there/"}

    broker.end()

    assert not (tmp_path / "shared").exists()
    SharedBroker(tmp_path / "shared").end()
