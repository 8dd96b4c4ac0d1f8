"""Many rows at once: what `insert_frames` is given is in the table, cell for cell and in the session's tenant."""

from collections.abc import Iterator
from itertools import product
from uuid import uuid4

import polars as pl
import pytest

from services.chassis.database import Database
from services.chassis.frames import insert_frames
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from tests.chassis.probe import EFFECTS, effects, probe

EFFECT = EFFECTS["probe"]


def frame(*notes: str) -> pl.DataFrame:
    return pl.DataFrame({"event_id": [str(uuid4()) for _ in notes], "note": list(notes)})


@pytest.fixture
def probe_database(settings: Settings) -> Database:
    return Database("probe", settings)


async def test_every_cell_arrives_as_it_is(probe_database: Database) -> None:
    notes = [
        '{"a":"b \\" c"}',
        "two\nlines, and a comma",
        "",
        "\\N",
        "\\.",
        "Ångström 東京",
        "null",
    ]
    tenant = some_tenant()
    async with probe_database.transaction(tenant) as session:
        await insert_frames(session, EFFECT, [frame(*notes)])
    assert [note for _, note in await effects(probe_database, probe(), tenant)] == notes


async def test_no_letters_beside_each_other_mean_anything_else(probe_database: Database) -> None:
    letters = 'aN\\\t\n\r.,"'
    notes = ["".join(some) for length in range(4) for some in product(letters, repeat=length)]
    tenant = some_tenant()
    async with probe_database.transaction(tenant) as session:
        await insert_frames(session, EFFECT, [frame(*notes)])
    found = [note for _, note in await effects(probe_database, probe(), tenant)]
    assert sorted(found) == sorted(notes)


async def test_frames_arrive_one_after_another_and_in_one_tenant(probe_database: Database) -> None:
    tenant, other = some_tenant(), some_tenant()
    async with probe_database.transaction(tenant) as session:
        await insert_frames(session, EFFECT, (frame(f"{n}", f"{n} again") for n in range(3)))
        await insert_frames(session, EFFECT, [frame("a second time in one transaction")])
    found = [note for _, note in await effects(probe_database, probe(), tenant)]
    assert found == ["0", "0 again", "1", "1 again", "2", "2 again", "a second time in one transaction"]
    assert await effects(probe_database, probe(), other) == []


async def test_no_frames_are_no_rows(probe_database: Database) -> None:
    tenant = some_tenant()
    async with probe_database.transaction(tenant) as session:
        await insert_frames(session, EFFECT, [])
    assert await effects(probe_database, probe(), tenant) == []


async def test_a_cell_that_does_not_fit_leaves_nothing_of_the_frames_before(probe_database: Database) -> None:
    tenant = some_tenant()
    wrong = pl.DataFrame({"event_id": ["no uuid"], "note": ["x"]})
    with pytest.raises(Exception, match="invalid input syntax for type uuid"):
        async with probe_database.transaction(tenant) as session:
            await insert_frames(session, EFFECT, [frame("first"), wrong])
    assert await effects(probe_database, probe(), tenant) == []


async def test_an_error_of_whoever_makes_the_frames_passes_through(probe_database: Database) -> None:
    tenant = some_tenant()

    def frames() -> Iterator[pl.DataFrame]:
        yield frame("first")
        raise RuntimeError("the second frame cannot be made")

    with pytest.raises(RuntimeError, match="second frame"):
        async with probe_database.transaction(tenant) as session:
            await insert_frames(session, EFFECT, frames())
    assert await effects(probe_database, probe(), tenant) == []
