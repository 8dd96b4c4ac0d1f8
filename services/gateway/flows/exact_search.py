"""Assets by a whole name or address, which is all that finds one whose names are sealed.

Sealed rows are found by keyed digests, others by what they say; both are compared as `sealed_rows.normalised` writes
them. Parts of a name find nothing among sealed rows, so whoever asks for a part is told so, not shown less.
"""

import asyncio
import re
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.inventory_sealing import FOUND_BY_ADDRESS, FOUND_BY_NAME
from services.chassis.errors import ExpectedFailure
from services.chassis.sealed_rows import found_by, normalised, vault_of
from services.chassis.tenancy import tenant_of
from services.gateway.tables import Application, Asset

_FIELDS = {"name": FOUND_BY_NAME, "address": FOUND_BY_ADDRESS}
_SEPARATOR = r"[\s,;|]"


async def found_exactly(session: AsyncSession, kind: str, text: str) -> ColumnElement[bool]:
    """That an asset has this name, or this address ("name", "address"); leaves the session in its tenant."""
    vault, tenant = vault_of(session), await tenant_of(session)
    # A version that another process began to seal with a moment ago must be known here, or its rows are not found.
    await asyncio.to_thread(vault.load)
    blind = found_by(vault, tenant, Asset.__table__, kind, text)  # type: ignore[arg-type]  # it is a Table
    said = or_(*(_says(field, kind, value) for value in normalised(kind, text) for field in _FIELDS[kind]))
    return or_(and_(Asset.sealed.is_(None), said), Asset.found_by.overlap(blind))


def _says(field: str, kind: str, value: str) -> ColumnElement[bool]:
    column = Asset.__table__.columns.get(field)
    written: ColumnElement[str] = func.lower(Asset.attributes[field].as_string() if column is None else column)
    if kind == "name":
        return func.rtrim(written, ".") == value
    if field == "mac_address":
        written = func.translate(written, ":-.", "")
    return written.regexp_match(f"(^|{_SEPARATOR}){re.escape(value)}($|{_SEPARATOR})")


async def refuse_part_of_name(session: AsyncSession, flow_id: UUID | None) -> None:
    """Raise `ExpectedFailure` where assets of a discovery have names that cannot be searched for a part."""
    if await session.scalar(select(exists().where(Asset.flow_id == flow_id, Asset.sealed.is_not(None)))):
        raise ExpectedFailure(
            "names_are_sealed",
            "This inventory's names are sealed, so no part of one can be searched for. "
            "Ask for a whole name with `name`, or a whole address with `address`.",
        )


async def refuse_part_of_application(session: AsyncSession, flow_id: UUID | None) -> None:
    """Raise `ExpectedFailure` where applications of a discovery are called after machines whose names are sealed."""
    if await session.scalar(select(exists().where(Application.flow_id == flow_id, Application.sealed.is_not(None)))):
        raise ExpectedFailure(
            "names_are_sealed",
            "Applications that are called after their machine are sealed here, so no part of their name can be "
            "searched for. Add `inferred=false` to search those that an inventory names.",
        )
