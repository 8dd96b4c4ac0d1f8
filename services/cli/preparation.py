"""What has to be there before the services run: schemas, roles, tables, and on a broker every service's queues."""

import asyncio
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.extensions import ExtensionMissing
from services.chassis.migrations import migrate
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.cli.patience import announced, is_starting, until_it_answers
from services.cli.terminal import CommandFailed

# A database that takes longer to start than this is not starting.
REACHABLE_SECONDS = 300
# SQLSTATE of wrong credentials and of a missing privilege (PostgreSQL manual, appendix A).
LOGIN_FAILURES = {"28000", "28P01", "42501"}


async def prepare(settings: Settings, services: Sequence[Service]) -> int:
    """Migrate the database and declare the bus; safe to run again. Returns how many queues were declared."""
    await _migrate(settings, services)
    if settings.rabbitmq_url is None:
        return 0
    bus = RabbitBus(settings.rabbitmq_url, settings.bus_prefix)
    runtimes = [Runtime(service, settings, bus) for service in services]
    subscriptions = [wanted for runtime in runtimes for wanted in runtime.subscriptions()]
    await announced(bus.declare(subscriptions), "the message broker of MODERNIZE_RABBITMQ_URL")
    for runtime in runtimes:
        await runtime.stop()
    return len(subscriptions)


async def _migrate(settings: Settings, services: Sequence[Service]) -> None:
    if settings.admin_database_url is None and settings.database_url is None:
        raise CommandFailed(
            "There is no database to migrate: set MODERNIZE_ADMIN_DATABASE_URL, as in "
            "postgresql://postgres:password@host:5432/migration. (`modernize up` migrates its own database itself.)",
            code="no_database",
        )
    try:
        async with asyncio.timeout(REACHABLE_SECONDS):
            await until_it_answers("the database", lambda: migrate(settings, services), is_starting)
    except TimeoutError as error:
        raise CommandFailed(
            f"The database did not answer for {REACHABLE_SECONDS // 60} minutes. Check the address in "
            "MODERNIZE_ADMIN_DATABASE_URL, and that the server runs.",
            code="database_not_reachable",
        ) from error
    except ExtensionMissing as error:
        raise CommandFailed(error.problem.detail, code=error.problem.code) from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in LOGIN_FAILURES:
            raise
        raise CommandFailed(
            f"The database refuses the migration job: {error.orig}. MODERNIZE_ADMIN_DATABASE_URL must name a user who "
            "may create databases and roles.",
            code="database_refuses",
        ) from error
