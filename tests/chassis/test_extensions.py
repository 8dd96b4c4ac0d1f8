"""Extensions of Postgres: in the schema of who needs them, and with advice where the server has none."""

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.agent_runner.app import service
from services.chassis import extensions
from services.chassis.extensions import ExtensionMissing, create_extension
from services.chassis.migrations import admin_url, migrate
from services.chassis.settings import Settings
from services.cli.infrastructure import missing_extensions

_PLACE = text("select extnamespace::regnamespace::text from pg_extension where extname = 'vector'")


async def test_an_extension_that_somebody_made_elsewhere_comes_to_the_schema_of_its_service(database: str) -> None:
    settings = Settings(database_url=database)
    engine = create_async_engine(admin_url(settings))
    async with engine.begin() as connection:
        await connection.execute(text("alter extension vector set schema public"))
    await migrate(settings, [service])
    async with engine.begin() as connection:
        assert (await connection.execute(_PLACE)).scalar_one() == "agent_runner"
    await engine.dispose()


async def test_a_server_without_an_extension_is_refused_with_what_to_install(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remedies = {"no_such": extensions._REMEDIES["vector"]}
    monkeypatch.setattr(extensions, "_REMEDIES", remedies)
    engine = create_async_engine(admin_url(Settings(database_url=database)))
    async with engine.connect() as connection:
        with pytest.raises(ExtensionMissing) as missing:
            await create_extension(connection, "agent_runner", "no_such")
    await engine.dispose()
    problem = missing.value.problem
    assert problem.code == "postgres_lacks_extension"
    assert "lacks the extension 'no_such'" in problem.detail
    assert "pgvector/pgvector:pg18" in problem.detail
    server = await asyncpg.connect(database, user="postgres")
    try:
        assert await missing_extensions(server, ["plpgsql", "no_such"]) == [problem.detail]
    finally:
        await server.close()
