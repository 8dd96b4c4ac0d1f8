"""Whether a database keeps tenants and services apart, asked of its own catalogue: what a service checks as it starts.

The migration job makes it so; but tables outlive the job, and a grant, a view or a role that somebody adds by hand
opens what it closed. One query looks at everything that one service can reach.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import orjson
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis import tenancy
from services.chassis.errors import ExpectedFailure
from services.chassis.isolation_rules import EVERYTHING, RULES
from services.chassis.tables import ServiceMetaData

MOST_NAMED = 10


@dataclass(frozen=True)
class Violation:
    """Something in the database that the rules forbid: which rule, what breaks it, and what ends it."""

    rule: str
    what: str
    remedy: str


class DatabaseNotIsolated(ExpectedFailure):
    """The database would let one tenant or service see what belongs to another."""

    status = 500

    def __init__(self, service: str, violations: list[Violation]) -> None:
        named = "".join(f"\n  {each.what}: {each.remedy}" for each in violations[:MOST_NAMED])
        more = f"\n  and {len(violations) - MOST_NAMED} more" if len(violations) > MOST_NAMED else ""
        super().__init__(
            "database_not_isolated",
            f"The service {service} does not start, because its database does not keep tenants and services apart. "
            f"Change what is named here, or run `modernize migrate`, which mends tables of ours:{named}{more}",
        )
        self.violations = violations


async def require_isolation(connection: AsyncConnection, metadata: ServiceMetaData) -> None:
    """Raise `DatabaseNotIsolated` unless the database keeps apart what it has to."""
    if found := await violations(connection, metadata):
        raise DatabaseNotIsolated(metadata.service, found)


async def violations(connection: AsyncConnection, metadata: ServiceMetaData) -> list[Violation]:
    """What in the schema of a service, of its two roles, and of the database itself breaks a rule."""
    # To compile the query costs ten times what it takes to run it.
    await connection.execute(text("set local jit = off"))
    rows = await connection.execute(
        text(EVERYTHING),
        {
            "schema": metadata.service,
            "service_role": tenancy.service_role(metadata.service),
            "dispatch_role": tenancy.dispatch_role(metadata.service),
            "own_rows": comparable(tenancy.OWN_ROWS),
            "declared": orjson.dumps([list(each) for each in declared_grants(metadata)]).decode(),
        },
    )
    return [Violation(rule, what, RULES[rule].remedy) for rule, what in rows]


def comparable(expression: str) -> str:
    """A policy's condition without what Postgres adds when it spells it back: brackets, blanks, casts, names."""
    return re.sub(r'\s|[()]|::text|::uuid|as "?nullif"?', "", expression.lower())


def declared_grants(metadata: ServiceMetaData) -> Iterable[tuple[str, str, str, str | None]]:
    """Table, role, privilege and, where it is of one column only, the column: all that the tables' `info` grant."""
    for table in metadata.sorted_tables:
        own = table.info.get("grants", tenancy.DEFAULT_GRANTS)
        for role, grants in (
            (tenancy.service_role(metadata.service), own),
            (tenancy.dispatch_role(metadata.service), tenancy.dispatch_grants(table)),
        ):
            yield from ((table.name, role, *each) for each in _privileges(table, grants))


@cache
def _privileges(table: Table, grants: str) -> list[tuple[str, str | None]]:
    """`select (a, b), insert` as `[("SELECT", "a"), ("SELECT", "b"), ("INSERT", None)]`."""
    return [
        (privilege.upper(), column)
        for privilege, columns in re.findall(r"([a-z]+)(?: \(([^)]*)\))?(?:, |$)", grants)
        for column in (columns.split(", ") if columns else [None])
    ]
