"""Configuration that changes while the platform runs, at the level of the request's tenant.

The tenant that a request names says the level: an engagement, its client account (whose engagement is the nil UUID), or
the platform (both nil).
"""

import base64
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.configuration import KEYS, ConfigurationChanged, Key, Level
from contracts.envelope import PLATFORM, Tenant
from contracts.rest_configuration import ConfigurationBody, ConfigurationChange, ConfigurationPage, ConfigurationView
from services.chassis.configuration import PURPOSE, Setting, keep_configuration, settings_in_force
from services.chassis.errors import Conflict, ExpectedFailure, Forbidden, NotFound, PreconditionFailed
from services.chassis.runtime import Runtime
from services.gateway.configuration_tables import ConfigurationHistory
from services.gateway.handlers import service
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.routes.access import Gateway, Reading, emit

router = APIRouter(tags=["configuration"])

IfMatch = Annotated[
    str | None, Header(description="The version that was seen; another one there now is a refusal (412)")
]
Reason = Annotated[str, Query(min_length=3, max_length=500, description="Why it is unset")]


@router.get("/configuration")
async def list_configuration(caller: Caller, session: Reading) -> ConfigurationPage:
    """Every key that counts for this tenant, with its value and where that was set."""
    level = level_of(caller.tenant)
    versions = await _versions(session)
    in_force = await settings_in_force(session, service.metadata, caller.tenant)
    keys = [KEYS[name] for name in sorted(KEYS) if level == "platform" or KEYS[name].levels != ("platform",)]
    return ConfigurationPage(items=[_view(key, level, in_force, versions) for key in keys])


@router.get("/configuration/{key}")
async def show_configuration(key: str, caller: Caller, session: Reading, response: Response) -> ConfigurationView:
    """A key, what counts for this tenant, and its version here."""
    wanted, level = _key(key), level_of(caller.tenant)
    versions = await _versions(session)
    view = _view(wanted, level, await settings_in_force(session, service.metadata, caller.tenant), versions)
    response.headers["ETag"] = f'"{view.version}"'
    return view


@router.put("/configuration/{key}")
async def set_configuration(
    key: str, body: ConfigurationBody, caller: Caller, gateway: Gateway, if_match: IfMatch = None
) -> ConfigurationView:
    """Set a key for this tenant; services act on it within seconds."""
    wanted = _key(key)
    try:
        value = wanted.adapter.dump_python(wanted.value_of(body.value), mode="json")
    except ValidationError as error:
        # Without the value that was sent: it may be a secret, and is the sender's own in any case.
        reasons = "; ".join(each["msg"] for each in error.errors(include_input=False, include_context=False))
        raise ExpectedFailure("bad_value", f"This is no value of {key}: {reasons}.") from None
    return await _change(gateway, caller, wanted, body.reason, if_match, is_set=True, value=value)


@router.delete("/configuration/{key}")
async def unset_configuration(
    key: str, reason: Reason, caller: Caller, gateway: Gateway, if_match: IfMatch = None
) -> ConfigurationView:
    """Take back what was set for this tenant: the next level's value counts again, or the default."""
    return await _change(gateway, caller, _key(key), reason, if_match, is_set=False, value=None)


@router.get("/configuration/{key}/history")
async def list_configuration_changes(key: str, session: Reading, page: Page) -> rest.Page[ConfigurationChange]:
    """Who changed a key in this tenant, when, why, and from what to what; the first change first."""
    statement = select(ConfigurationHistory).where(ConfigurationHistory.key == _key(key).name)
    rows, cursor = await page.fetch(session, statement, ConfigurationHistory.version)
    return rest.Page(items=[ConfigurationChange.model_validate(row) for row in rows], next_cursor=cursor)


def level_of(tenant: Tenant) -> Level:
    """The level that is configured in a tenant."""
    if tenant == PLATFORM:
        return "platform"
    return "client" if tenant.engagement_id.int == 0 else "engagement"


async def _change(
    gateway: Runtime, caller: Principal, key: Key[Any], reason: str, if_match: str | None, *, is_set: bool, value: Any
) -> ConfigurationView:
    tenant, level = caller.tenant, level_of(caller.tenant)
    if key.scope not in caller.scopes:
        raise Forbidden("missing_scope", f"Setting {key.name} takes the scope {key.scope}, which no role of yours has.")
    if level not in key.levels:
        raise Conflict("not_at_this_level", f"{key.name} can be set for: {', '.join(key.levels)}. This is: {level}.")
    table = service.metadata.configuration
    async with gateway.database.transaction(tenant) as session:
        first = {"key": key.name, "version": 0, "is_set": False}
        await session.execute(insert(table).values(first).on_conflict_do_nothing())
        columns = (table.c.version, table.c.is_set, table.c.value)
        before = (await session.execute(select(*columns).where(table.c.key == key.name).with_for_update())).one()
        if if_match is not None and if_match.strip().removeprefix("W/").strip('"') not in ("*", str(before.version)):
            detail = f"{key.name} has the version {before.version} here by now. Look at it again, then decide."
            raise PreconditionFailed("changed_meanwhile", detail)
        if not is_set and not before.is_set:
            raise NotFound("not_set", f"{key.name} is not set for this {level}.")
        plain = is_set and not key.secret
        sealed = None
        if is_set and key.secret:
            sealed = gateway.vault.seal(tenant, PURPOSE, key.name, key.adapter.dump_json(value))
        event = ConfigurationChanged(
            tenant=tenant,
            key=key.name,
            version=before.version + 1,
            is_set=is_set,
            value=value if plain else None,
            sealed=None if sealed is None else base64.b64encode(sealed).decode(),
            changed_by=caller.name,
            reason=reason,
        )
        await keep_configuration(service.metadata, event, session)
        row = {
            **event.model_dump(include={"key", "version", "is_set", "changed_by", "reason"}),
            "changed_at": datetime.now(UTC),
            "subject": caller.subject,
            "secret": key.secret,
            "old": before.value if before.is_set else None,
            "new": event.value,
        }
        await session.execute(insert(ConfigurationHistory).values(row))
        await emit(session, event)
        in_force = await settings_in_force(session, service.metadata, tenant)
        view = _view(key, level, in_force, {key.name: event.version})
    gateway.configuration.forget()
    gateway.committed()
    return view


def _key(name: str) -> Key[Any]:
    if name not in KEYS:
        raise NotFound("unknown_key", f"There is no key {name[:100]!r}. GET /api/v1/configuration lists all keys.")
    return KEYS[name]


async def _versions(session: AsyncSession) -> dict[str, int]:
    table = service.metadata.configuration
    rows = await session.execute(select(table.c.key, table.c.version))
    return {row.key: row.version for row in rows}


def _view(key: Key[Any], level: Level, in_force: Any, versions: dict[str, int]) -> ConfigurationView:
    setting: Setting | None = in_force.get(key.name)
    return ConfigurationView(
        key=key.name,
        description=key.description,
        value=None if key.secret else key.default if setting is None else setting.value,
        origin=None if setting is None else setting.level,
        default=None if key.secret else key.default,
        value_schema=key.adapter.json_schema(),
        levels=list(key.levels),
        secret=key.secret,
        read_by=list(key.read_by),
        level=level,
        version=versions.get(key.name, 0),
    )
