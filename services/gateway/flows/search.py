"""Flows from partial knowledge: part of an id, a file, an asset, an application, a caller's own name for a flow.

Everything is read within one tenant and up to a bound. Assets have no index for this: two of them more than doubled the
time of an import's insertion, while to read a hundred thousand assets takes about a tenth of a second.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, cast, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.gateway.flows.exact_search import found_exactly
from services.gateway.read_model.flow_tables import FlowImport
from services.gateway.tables import Application, Asset, Flow, Upload

MOST_FLOWS = 50
MOST_REASONS = 5
# Rows that one way of looking gives at most.
MOST_HITS = 500
# Discoveries, newest first, whose assets are looked through.
MOST_INVENTORIES = 200
_PART_OF_ID = re.compile(r"[0-9a-f-]{4,36}", re.IGNORECASE)


@dataclass
class Found:
    """Why flows were found; `complete` unless some way of looking gave as many rows as it may."""

    reasons: dict[UUID, list[str]] = field(default_factory=dict)
    complete: bool = True

    def add(self, flow_id: UUID, reason: str) -> None:
        """Note a reason once, and not more of them than people read."""
        reasons = self.reasons.setdefault(flow_id, [])
        if reason not in reasons and len(reasons) < MOST_REASONS:
            reasons.append(reason)


async def find(session: AsyncSession, text: str) -> Found:
    """The flows of the session's tenant that `text` says something about."""
    found = Found()
    for label, statement in _ways(text):
        rows = (await session.execute(statement.limit(MOST_HITS))).all()
        found.complete = found.complete and len(rows) < MOST_HITS
        for flow_id, matched in rows:
            found.add(flow_id, f"{label} {matched}")
    older = select(Flow.flow_id).where(Flow.flow_type == "discovery").offset(MOST_INVENTORIES).limit(1)
    found.complete = found.complete and (await session.execute(older)).first() is None
    if await _sealed(session):
        # Of what is sealed only whole names and addresses are found, so there may be more.
        found.complete = False
        for kind in ("name", "address"):
            whole = select(Asset.flow_id).where(_looked_at(), await found_exactly(session, kind, text)).distinct()
            for flow_id in await session.scalars(whole.limit(MOST_HITS)):
                found.add(flow_id, f"it found the asset with the {kind} {text}")
    return found


def _ways(text: str) -> Iterator[tuple[str, Select[Any, Any]]]:
    def contains(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        return column.icontains(text, autoescape=True)

    known = Flow.correlation_id.is_not(None)
    yield (
        "its correlation id is",
        select(Flow.flow_id, Flow.correlation_id)
        .where(known, Flow.correlation_id.icontains(text, autoescape=True))
        .order_by(Flow.created_at.desc()),
    )
    if _PART_OF_ID.fullmatch(text):
        part = text.lower()
        yield (
            "its id is",
            select(Flow.flow_id, cast(Flow.flow_id, String).label("matched")).where(_has_part(Flow.flow_id, part)),
        )
        import_id = cast(FlowImport.import_id, String).label("matched")
        yield "it reads the import", select(FlowImport.flow_id, import_id).where(_has_part(FlowImport.import_id, part))
    yield (
        "it reads the file",
        select(FlowImport.flow_id, Upload.file_name)
        .join(Upload, Upload.import_id == FlowImport.import_id)
        .where(contains(Upload.file_name)),
    )
    yield "it found the application", select(Application.flow_id, Application.name).where(contains(Application.name))
    looked_at = _looked_at()
    yield "it found the asset", select(Asset.flow_id, Asset.name).where(looked_at, contains(Asset.name))
    address = func.concat(Asset.name, " with the address ", Asset.ip_address)
    has_address = Asset.ip_address.contains(text, autoescape=True)
    yield "it found the asset", select(Asset.flow_id, address).where(looked_at, has_address)


def _looked_at() -> ColumnElement[bool]:
    """That an asset is of one of the newest discoveries."""
    newest = select(Flow.flow_id).where(Flow.flow_type == "discovery").order_by(Flow.created_at.desc())
    return Asset.flow_id.in_(newest.limit(MOST_INVENTORIES))


async def _sealed(session: AsyncSession) -> bool:
    """Whether something is sealed of what is searched."""
    assets = select(exists().where(Asset.sealed.is_not(None), _looked_at()))
    applications = select(exists().where(Application.sealed.is_not(None)))
    return bool(await session.scalar(assets) or await session.scalar(applications))


def _has_part(column: InstrumentedAttribute[UUID], part: str) -> ColumnElement[bool]:
    return cast(column, String).contains(part, autoescape=True)
