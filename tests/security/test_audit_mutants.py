"""The checks of the audit log are checked: each seeded bug fails the test of the promise that it breaks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from tests.audit.logs import Log, a_log
from tests.security.audit_mutants import AUDIT_MUTANTS


@pytest.fixture
async def log(settings: Settings) -> AsyncIterator[Log]:
    """An empty log in a fresh database."""
    async with a_log(settings, some_tenant()) as log:
        yield log


@pytest.mark.parametrize("name", AUDIT_MUTANTS)
async def test_a_mutant_is_caught(name: str, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = AUDIT_MUTANTS[name]
    await mutant.apply(monkeypatch, log)
    # Without the mutant it passes: it is a test of tests/audit.
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await mutant.proof(log, tmp_path)
