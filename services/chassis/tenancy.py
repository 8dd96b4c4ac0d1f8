"""Row-level security: every row belongs to a tenant, and without a tenant there are no rows."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from sqlalchemy import Table, Uuid, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from contracts.envelope import Tenant

# Spelled as Postgres spells it back, so that migrations see no difference.
CLIENT_ACCOUNT = "(NULLIF(current_setting('app.client_account_id'::text, true), ''::text))::uuid"
ENGAGEMENT = "(NULLIF(current_setting('app.engagement_id'::text, true), ''::text))::uuid"

# Wrapped in a sub-select the setting is read once a statement, not once a row.
OWN_ROWS = f"client_account_id = (select {CLIENT_ACCOUNT}) and engagement_id = (select {ENGAGEMENT})"

DEFAULT_GRANTS = "select, insert, update, delete"

# Takes `settings_of` a tenant.
ENTER = (
    "select set_config('app.client_account_id', :client_account_id, true),"
    " set_config('app.engagement_id', :engagement_id, true)"
)
_ENTER = text(ENTER)
_TENANT = text(f"select {CLIENT_ACCOUNT} as client_account_id, {ENGAGEMENT} as engagement_id")


class TenantRow:
    """Mixin for tables: the database itself fills in the tenant of the transaction, so no code can name another."""

    client_account_id: Mapped[UUID] = mapped_column(
        Uuid, primary_key=True, server_default=text(CLIENT_ACCOUNT), sort_order=-2
    )
    engagement_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text(ENGAGEMENT), sort_order=-1)


async def enter(connection: AsyncConnection | AsyncSession, tenant: Tenant) -> None:
    """Make `tenant` the one whose rows the rest of this transaction sees and writes."""
    await connection.execute(_ENTER, settings_of(tenant))


async def tenant_of(session: AsyncSession) -> Tenant:
    """The tenant that was entered."""
    row = (await session.execute(_TENANT)).one()
    return Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)


def settings_of(tenant: Tenant) -> dict[str, str]:
    """The settings by which a transaction knows its tenant."""
    return {"client_account_id": str(tenant.client_account_id), "engagement_id": str(tenant.engagement_id)}


def service_role(service: str) -> str:
    """The role a service logs in with: it sees the rows of the tenant that was entered."""
    return f"modernize_{service}"


def dispatch_role(service: str) -> str:
    """The role that moves events and work of all tenants, and can reach nothing else."""
    return f"modernize_{service}_dispatch"


def role_statements(service: str) -> Iterator[str]:
    """SQL that makes the service's roles and schema; safe to run again.  The password is set separately."""
    for role in (service_role(service), dispatch_role(service)):
        yield (
            f"do $$ begin create role {role} login nosuperuser nobypassrls nocreatedb nocreaterole noinherit;"
            " exception when duplicate_object or unique_violation then null; end $$"
        )
    yield f"create schema if not exists {service}"
    yield f"revoke all on schema {service} from public"
    yield f"grant usage on schema {service} to {service_role(service)}, {dispatch_role(service)}"


def dispatch_grants(table: Table) -> str:
    """What the dispatch role may do with a table: what its `info` declares, and to find what is to be sealed."""
    declared = [table.info["dispatch"]] if "dispatch" in table.info else []
    if sealed := [column.name for column in table.columns if "sealed" in column.info]:
        declared.append(f"select ({', '.join(['client_account_id', 'engagement_id', *sealed])})")
    elif table.info.keys() & {"withheld", "unkept"} and declared[:1] != ["select"]:
        declared.append("select (client_account_id, engagement_id)")
    return ", ".join(declared)


def database_statements(database: str, services: Iterable[str]) -> Iterator[str]:
    """SQL that closes a database to whoever has no role of ours; safe to run again, by the database's owner."""
    yield f'revoke all on database "{database}" from public'
    yield "revoke all on schema public from public"
    for service in services:
        # Large imports pass through temporary tables.
        yield f'grant connect, temporary on database "{database}" to {service_role(service)}'
        yield f'grant connect on database "{database}" to {dispatch_role(service)}'


def protect_statements(service: str, table: Table) -> Iterator[str]:
    """SQL that puts a table under row-level security and grants its roles what they need; safe to run again.

    `Table.info["grants"]` narrows what the service may do (default: read and write all its tenant's rows);
    `Table.info["dispatch"]` opens the table to the dispatch role across tenants.
    """
    name = f"{service}.{table.name}"
    grants = table.info.get("grants", DEFAULT_GRANTS)
    yield f"alter table {name} enable row level security"
    yield f"alter table {name} force row level security"
    yield f"drop policy if exists own_tenant on {name}"
    yield f"create policy own_tenant on {name} to {service_role(service)} using ({OWN_ROWS}) with check ({OWN_ROWS})"
    yield f"revoke all on {name} from public, {service_role(service)}, {dispatch_role(service)}"
    yield f"grant {grants} on {name} to {service_role(service)}"
    yield f"drop policy if exists every_tenant on {name}"
    if dispatch := dispatch_grants(table):
        yield f"create policy every_tenant on {name} to {dispatch_role(service)} using (true) with check (true)"
        yield f"grant {dispatch} on {name} to {dispatch_role(service)}"
