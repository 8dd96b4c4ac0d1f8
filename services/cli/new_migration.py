"""`just migration SERVICE "what changes"`: write the next version of a service's tables from its `tables.py`."""

import asyncio
import importlib
import sys
import tempfile
from functools import partial
from pathlib import Path

from alembic.autogenerate import render_python_code
from alembic.operations.ops import DowngradeOps, UpgradeOps
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from services.chassis.embedded_postgres import EmbeddedPostgres
from services.chassis.migrations import (
    admin_url,
    create_database,
    create_schema,
    migration_scripts,
    missing_changes,
    upgrade_to_head,
)
from services.chassis.service import Service
from services.chassis.settings import Settings

TEMPLATE = '''"""{message}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "{revision}"
down_revision = {down_revision!r}


def upgrade() -> None:
    {upgrades}


def downgrade() -> None:
    {downgrades}
'''


def _render(connection: Connection, service: Service, scripts: ScriptDirectory, message: str) -> Path | None:
    changes = missing_changes(connection, service)
    assert isinstance(changes.upgrade_ops, UpgradeOps)
    assert isinstance(changes.downgrade_ops, DowngradeOps)
    if changes.upgrade_ops.is_empty():
        return None
    number = len(list(scripts.walk_revisions())) + 1
    revision = f"{number:04}"
    path = Path(scripts.dir) / f"v{revision}_{'_'.join(message.lower().split())}.py"
    text = TEMPLATE.format(
        message=message.capitalize(),
        revision=revision,
        down_revision=scripts.get_current_head(),
        upgrades=render_python_code(changes.upgrade_ops),
        downgrades=render_python_code(changes.downgrade_ops),
    )
    path.write_text(text, encoding="utf-8")
    return path


async def _write(service: Service, settings: Settings, message: str) -> Path | None:
    scripts = migration_scripts(service.name)
    url = admin_url(settings)
    await create_database(url)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await create_schema(connection, service, settings.database_password.get_secret_value())
        await connection.run_sync(partial(upgrade_to_head, service=service))
        path = await connection.run_sync(partial(_render, service=service, scripts=scripts, message=message))
    await engine.dispose()
    return path


def main(name: str, message: str) -> None:
    """Compare `tables.py` with what the existing versions make, and write the difference as a new version."""
    service: Service = importlib.import_module(f"services.{name}.app").service
    Path(migration_scripts(name).dir).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="modernize-migration-") as folder:
        postgres = EmbeddedPostgres(Path(folder))
        try:
            path = asyncio.run(_write(service, Settings(database_url=postgres.start()), message))
        finally:
            postgres.stop()
    print(f"Wrote {path}. Read it, then run `just fmt`." if path else f"The versions of {name} match its tables.py.")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
