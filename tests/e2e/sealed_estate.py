"""An export whose cells hold what nobody may find in the database, and a superuser's look for it."""

import csv
import io
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from contracts.envelope import Tenant
from services.chassis.migrations import admin_url
from services.chassis.settings import Settings

SERVERS = 6
# What nobody may find. Some machines belong to no application, so one is called after each.
NAMES = [f"zqhost{number:02}" for number in range(SERVERS)]
ADDRESSES = [f"10.77.31.{number + 200}" for number in range(SERVERS)]
MACS = [f"0e:7a:31:aa:bb:{number + 16:02x}" for number in range(SERVERS)]
DOMAIN = "zqdomain.example"
NOTE = "zqnote beside zqhost00"
SECRETS = [*NAMES, *ADDRESSES, *MACS, *(mac.replace(":", "") for mac in MACS), "zqdomain", "zqnote", "zqbroken"]
HEADER = (
    *("Hostname", "FQDN", "IP Address", "MAC Address", "Operating System", "CPU Cores", "Memory (GB)"),
    *("Storage (GB)", "Environment", "Application", "Description", "ESX Host"),
)


def inventory(*, cores: int = 4, addresses: Sequence[str] = ADDRESSES) -> bytes:
    """An export whose cells hold what nobody may find; a row without a name and a cell that cannot be read, too."""
    rows = [HEADER]
    for number, name in enumerate(NAMES):
        application = f"Shop {number % 2}" if number < 3 else ""
        memory = "zqbroken memory" if number == 1 else "16"
        rows.append(
            (name, f"{name}.{DOMAIN}", addresses[number], MACS[number], "Ubuntu 22.04", str(cores), memory, "250",
             "Production", application, NOTE, "zqhost-esx")
        )  # fmt: skip
    rows.append(("", "", "10.77.31.250", "", "Ubuntu 22.04", "4", "16", "250", "Production", "", "zqnote alone", ""))
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def connections() -> bytes:
    """Which of them talk to each other."""
    lines = ["Source,Destination,Source IP,Destination IP,Port,Protocol"]
    lines += [
        f"{NAMES[number]},{NAMES[number + 1]},{ADDRESSES[number]},{ADDRESSES[number + 1]},5432,tcp"
        for number in range(SERVERS - 1)
    ]
    return "\n".join([*lines, ""]).encode()


async def found(settings: Settings, tenant: Tenant, secrets: Sequence[str] = SECRETS) -> dict[str, set[str]]:
    """Where a superuser finds any of these in all rows of a tenant, in whatever column: as text, or among bytes."""
    engine = create_async_engine(admin_url(settings))
    places: dict[str, set[str]] = {}
    async with engine.connect() as connection:
        tables = await connection.execute(
            text(
                "select table_schema || '.' || table_name from information_schema.columns"
                " where column_name = 'client_account_id' and table_schema not in ('pg_catalog', 'probe', 'listener')"
            )
        )
        for table in sorted(tables.scalars()):
            rows = await connection.execute(
                text(f"select lower(t::text) from {table} t where client_account_id = :client"),
                {"client": tenant.client_account_id},
            )
            for row in rows.scalars():
                for secret in secrets:
                    if secret in row or secret.encode().hex() in row:
                        places.setdefault(table, set()).add(secret)
    await engine.dispose()
    return places
