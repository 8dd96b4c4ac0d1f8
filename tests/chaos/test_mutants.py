"""The checks are checked: each seeded bug breaks a promise, and the check of that promise sees it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.exposures import EXPOSURES, run_exposed
from tests.chaos.mutants import MUTANTS
from tests.chaos.nursery import Nursery
from tests.chaos.seeding import patch

pytestmark = pytest.mark.timeout(300)


def test_every_mutant_has_an_exposure() -> None:
    assert EXPOSURES.keys() == MUTANTS.keys()
    assert len(MUTANTS) >= 12
    assert all(mutant.promise for mutant in MUTANTS.values())


@pytest.fixture
def url(name: str, request: pytest.FixtureRequest) -> str | None:
    """The broker, where the exposure needs one."""
    return request.getfixturevalue("rabbitmq_url") if EXPOSURES[name].rabbitmq else None


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_mutant_is_caught(
    name: str, nursery: Nursery, crash_database: str, tmp_path: Path, url: str | None
) -> None:
    outcome = await run_exposed(name, nursery, crash_database, tmp_path, url)
    assert outcome.bitten, f"the mutant's code never ran: {outcome.summary()}"
    broken = {violation.promise for violation in outcome.violations}
    assert broken & set(EXPOSURES[name].promises), f"broken is only {broken or 'nothing'}: {outcome.summary()}"


@pytest.mark.parametrize("name", ["has_no_inbox", "finishes_without_the_fence", "clears_the_wake_up_after_the_look"])
async def test_without_its_mutant_an_exposure_finds_nothing(
    name: str, nursery: Nursery, crash_database: str, tmp_path: Path, url: str | None
) -> None:
    exposure = replace(EXPOSURES[name], stall_seconds=20)
    outcome = await run_exposed(name, nursery, crash_database, tmp_path, url, exposure=exposure, mutated=False)
    assert outcome.violations == []


def test_a_mutant_of_a_name_that_is_gone_fails_loudly() -> None:
    with pytest.raises(AttributeError):
        patch("services.chassis.consumer", "Consumer.take_no_more", lambda original: original)
