"""What was found out is remembered for five seconds, and not beyond a change."""

import asyncio

from services.chassis.remembered import SECONDS, Remembered


class Finding:
    """Answers with how often it was asked, once it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> int:
        self.asked += 1
        answer = self.asked
        await self.go.wait()
        return answer


async def test_an_answer_is_found_once_in_five_seconds() -> None:
    now = 0.0
    remembered, find = Remembered(lambda: now), Finding()
    assert [await remembered.get("q", find) for _ in range(3)] == [1, 1, 1]
    now = SECONDS - 0.001
    assert await remembered.get("q", find) == 1
    now = SECONDS
    assert await remembered.get("q", find) == 2


async def test_those_who_ask_at_the_same_time_wait_for_one_answer() -> None:
    remembered, find = Remembered(), Finding()
    find.go.clear()
    asking = [asyncio.create_task(remembered.get("q", find)) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    find.go.set()
    assert await asyncio.gather(*asking[1:]) == [1] * 49


async def test_what_was_read_before_a_change_is_not_remembered_after_it() -> None:
    remembered, find = Remembered(), Finding()
    find.go.clear()
    before = asyncio.create_task(remembered.get("q", find))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    remembered.forget()
    after = asyncio.create_task(remembered.get("q", find))
    await asyncio.sleep(0)
    find.go.set()
    assert (await before, await after) == (1, 2)
    assert await remembered.get("q", find) == 2


async def test_strangers_are_not_remembered() -> None:
    remembered = Remembered()
    asked = 0

    async def find() -> int | None:
        nonlocal asked
        asked += 1
        return None

    assert [await remembered.get("q", find) for _ in range(3)] == [None] * 3
    assert asked == 3
