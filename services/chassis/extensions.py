"""Extensions of Postgres: each in the schema of the service that needs it, for its roles reach no other."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.errors import ExpectedFailure

# What to install, by the extension's name; {major} is the server's version.
_REMEDIES = {
    "vector": "It is pgvector, in which agents remember. Install it on the server (Debian, Ubuntu: apt install "
    "postgresql-{major}-pgvector, from apt.postgresql.org where the distribution has none; containers: the image "
    "pgvector/pgvector:pg{major}), then migrate again. Managed servers mostly have it."
}
_AVAILABLE = text("select 1 from pg_available_extensions where name = :name")
_MAJOR = text("select current_setting('server_version_num')::int / 10000")
_PLACE = text(
    "select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = :name"
)


class ExtensionMissing(ExpectedFailure):
    """The server has no such extension, and what to install."""

    status = 503


def remedy(name: str, major: int) -> str:
    """What to do about a Postgres of this version that does not offer an extension."""
    return f"This Postgres {major} lacks the extension {name!r}. " + _REMEDIES[name].replace("{major}", str(major))


async def create_extension(connection: AsyncConnection, schema: str, name: str) -> None:
    """Have the extension in this schema; raises `ExtensionMissing`. Safe to run again."""
    if (await connection.execute(_AVAILABLE, {"name": name})).first() is None:
        major = (await connection.execute(_MAJOR)).scalar_one()
        raise ExtensionMissing("postgres_lacks_extension", remedy(name, major))
    # nosemgrep: raw-sql - names of ours, no values
    await connection.execute(text(f"create extension if not exists {name} with schema {schema}"))
    if (await connection.execute(_PLACE, {"name": name})).scalar_one() != schema:
        # Whoever prepared the database made it elsewhere, mostly in `public`, where no role of ours may look.
        # nosemgrep: raw-sql - names of ours, no values
        await connection.execute(text(f"alter extension {name} set schema {schema}"))
