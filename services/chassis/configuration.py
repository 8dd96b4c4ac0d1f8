"""What was configured while the platform runs: each service keeps the values, and reads those of a tenant."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.configuration import EVERY_LEVEL, ConfigurationChanged, Key, Level, level_tenant
from contracts.envelope import Tenant
from services.chassis.database import Database
from services.chassis.encryption import Vault
from services.chassis.remembered import Remembered
from services.chassis.tables import CONFIGURATION_SECRETS, ServiceMetaData
from services.chassis.tenancy import enter

T = TypeVar("T")

# How old a value may be that is read without a transaction.
SECONDS = 5.0
PURPOSE = CONFIGURATION_SECRETS.purpose


@dataclass(frozen=True)
class Setting:
    """A value as it was set at one level."""

    level: Level
    tenant: Tenant
    version: int
    value: Any
    sealed: bytes | None


@dataclass(frozen=True)
class _InForce:
    """What counts for a tenant, and what of it was read and found valid: every request asks for the same few keys."""

    settings: Mapping[str, Setting]
    values: dict[str, Any] = field(default_factory=dict)


async def keep_configuration(metadata: ServiceMetaData, event: ConfigurationChanged, session: AsyncSession) -> None:
    """Keep what was set, or that it was unset, unless something newer is known."""
    table = metadata.configuration
    row = {
        "key": event.key,
        "version": event.version,
        "is_set": event.is_set,
        "value": event.value,
        "sealed": None if event.sealed is None else base64.b64decode(event.sealed),
    }
    statement = insert(table).values(row)
    newer = table.c.version < statement.excluded.version
    await session.execute(
        statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=row, where=newer)
    )


async def settings_in_force(session: AsyncSession, metadata: ServiceMetaData, tenant: Tenant) -> Mapping[str, Setting]:
    """What counts for a tenant and was set, by key; leaves the session in the tenant."""
    table, found = metadata.configuration, {}
    tenants: dict[Tenant, Level] = {}
    for level in EVERY_LEVEL:
        tenants.setdefault(level_tenant(level, tenant), level)
    for each, level in tenants.items():
        await enter(session, each)
        columns = (table.c.key, table.c.version, table.c.value, table.c.sealed)
        for key, version, value, sealed in await session.execute(select(*columns).where(table.c.is_set)):
            found[key] = Setting(level, each, version, value, sealed)
    await enter(session, tenant)
    return found


async def configured(session: AsyncSession, metadata: ServiceMetaData, tenant: Tenant, key: Key[T]) -> T:
    """The value of a key that is no secret, as this transaction sees it; leaves the session in `tenant`."""
    return value_in(await settings_in_force(session, metadata, tenant), key)


def value_in(settings: Mapping[str, Setting], key: Key[T]) -> T:
    """The value of a key that is no secret, of what counts for a tenant."""
    if key.secret:
        raise ValueError(f"{key.name} is a secret: read it with the runtime's `configuration`")
    setting = settings.get(key.name)
    return key.default if setting is None else key.value_of(setting.value)


class Configuration:
    """What is configured, at most five seconds old: reads a tenant's values at once and remembers them."""

    def __init__(self, database: Database, metadata: ServiceMetaData, vault: Vault) -> None:
        self._database = database
        self._metadata = metadata
        self._vault = vault
        self._known = Remembered(seconds=SECONDS)

    async def value(self, tenant: Tenant, key: Key[T]) -> T:
        """What counts for a tenant, opened where it is a secret."""
        in_force = await self._in_force(tenant)
        setting = in_force.settings.get(key.name)
        if setting is None:
            return key.default
        if setting.sealed is None:
            if key.name not in in_force.values:
                in_force.values[key.name] = key.value_of(setting.value)
            found: T = in_force.values[key.name]
            return found
        opened = self._vault.open(setting.tenant, PURPOSE, key.name, setting.sealed)
        return key.adapter.validate_json(opened)

    async def level(self, tenant: Tenant, key: Key[Any]) -> Level | None:
        """The level at which what counts for a tenant was set; None where the default counts."""
        setting = (await self._in_force(tenant)).settings.get(key.name)
        return None if setting is None else setting.level

    async def is_set_nearer(self, tenant: Tenant, key: Key[Any], than: Key[Any]) -> bool:
        """Whether a key was set at a level nearer to a tenant than another was; False where one has its default."""
        own, other = await self.level(tenant, key), await self.level(tenant, than)
        return own is not None and other is not None and EVERY_LEVEL.index(own) > EVERY_LEVEL.index(other)

    def forget(self) -> None:
        """Read anew: something was changed by this process."""
        self._known.forget()

    async def _in_force(self, tenant: Tenant) -> "_InForce":
        async def find() -> _InForce:
            async with self._database.session() as session:
                return _InForce(await settings_in_force(session, self._metadata, tenant))

        in_force = await self._known.get(tenant, find)
        assert in_force is not None, "a tenant for whom nothing is set has an empty mapping"
        return in_force
