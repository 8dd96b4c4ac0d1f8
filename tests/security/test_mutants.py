"""The tests are tested: each seeded bug fails the test that guards against it."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.chassis.migrations import admin_url
from services.chassis.settings import Settings
from tests.security.mutants import MUTANTS, Mutant

pytestmark = pytest.mark.timeout(180)


async def run(mutant: Mutant, arguments: dict[str, Any]) -> None:
    """Run the guard of a mutant."""
    outcome = mutant.guard(**arguments)
    if inspect.isawaitable(outcome):
        await outcome


def catching(mutant: Mutant) -> Callable[..., Awaitable[None]]:
    """A test that plants the bug, once the fixtures of its guard are up, and sees the guard fail."""
    given = mutant.arguments or {}
    wanted = {name: each for name, each in inspect.signature(mutant.guard).parameters.items() if name not in given}

    async def caught(monkeypatch: pytest.MonkeyPatch, settings: Settings, **fixtures: Any) -> None:
        mutant.plant(monkeypatch)
        engine = create_async_engine(admin_url(settings))
        async with engine.begin() as connection:
            for statement in mutant.statements:
                await connection.execute(text(statement))
        await engine.dispose()
        own = {"monkeypatch": monkeypatch, "settings": settings, **fixtures}
        # An answer that is no refusal has no `code`.
        with pytest.raises((AssertionError, KeyError, pytest.fail.Exception)):
            await run(mutant, {**given, **{name: own[name] for name in wanted}})

    plain = list(inspect.signature(caught).parameters.values())[:2]
    more = [each for name, each in wanted.items() if name not in ("monkeypatch", "settings")]
    caught.__signature__ = inspect.Signature([*plain, *more])  # type: ignore[attr-defined]  # what pytest reads
    return caught


for _name, _mutant in MUTANTS.items():
    globals()[f"test_the_mutant_{_name}_is_caught"] = catching(_mutant)


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 10
