"""Whose answer counts where the first of several fails, or is slow."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.agent_runner.models.hedging import first_answer
from services.chassis.errors import ExpectedFailure


class Asked:
    """Those who are asked: what each does is decided by the test."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.second_begun = asyncio.Event()

    def one(self, name: str, does: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[str]]:
        async def ask() -> str:
            self.begun.append(name)
            if len(self.begun) == 2:
                self.second_begun.set()
            try:
                await does()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            return name

        return ask


async def at_once() -> None:
    """Answers."""


async def never() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise ExpectedFailure("model_failed", "It failed.")


async def breaks() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("after", [None, 30.0])
async def test_who_answers_is_the_only_one_that_is_asked(after: float | None) -> None:
    asked = Asked()
    assert await first_answer([asked.one("a", at_once), asked.one("b", at_once)], after) == "a"
    assert asked.begun == ["a"]


@pytest.mark.parametrize("after", [None, 30.0])
async def test_the_next_is_asked_as_soon_as_one_failed(after: float | None) -> None:
    asked = Asked()
    assert await first_answer([asked.one("a", fails), asked.one("b", fails), asked.one("c", at_once)], after) == "c"
    assert asked.begun == ["a", "b", "c"]


@pytest.mark.parametrize("after", [None, 0.001])
async def test_when_all_failed_the_last_reason_is_told(after: float | None) -> None:
    asked = Asked()
    with pytest.raises(ExpectedFailure, match="It failed"):
        await first_answer([asked.one("a", fails), asked.one("b", fails)], after)
    assert asked.begun == ["a", "b"]


@pytest.mark.parametrize("after", [None, 30.0])
async def test_a_bug_is_not_taken_for_a_failure(after: float | None) -> None:
    asked = Asked()
    with pytest.raises(ZeroDivisionError):
        await first_answer([asked.one("a", breaks), asked.one("b", at_once)], after)
    assert asked.begun == ["a"]


async def test_a_slow_one_loses_against_the_next_and_is_cancelled() -> None:
    asked = Asked()
    assert await first_answer([asked.one("a", never), asked.one("b", at_once)], 0.001) == "b"
    assert (asked.begun, asked.cancelled) == (["a", "b"], ["a"])


async def test_a_slow_one_that_answers_first_after_all_wins() -> None:
    asked = Asked()

    async def once_the_second_is_asked() -> None:
        await asked.second_begun.wait()

    assert await first_answer([asked.one("a", once_the_second_is_asked), asked.one("b", never)], 0.001) == "a"
    assert asked.cancelled == ["b"]


async def test_whoever_gives_up_waiting_leaves_nobody_asking() -> None:
    asked = Asked()
    waiting = asyncio.ensure_future(first_answer([asked.one("a", never), asked.one("b", never)], 0.001))
    await asked.second_begun.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert sorted(asked.cancelled) == ["a", "b"]
