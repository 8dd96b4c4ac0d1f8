"""The gateway's tables about single assets: origins of values, changes by an import, pairs that might be one."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.sealed_rows import SealableRow, Sealing
from services.gateway.tables import TENANT, Tables


class AssetOrigin(SealableRow, Tables):
    """Where the values of an asset come from, once somebody asked."""

    __tablename__ = "asset_origins"
    __table_args__ = (Index(None, *TENANT, "request_id"), {"info": {"sealing": Sealing(columns=("fields",))}})

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    asset_uid: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID]
    fields: Mapped[list[Any] | None]
    rules_changed: Mapped[bool | None]
    problem: Mapped[dict[str, Any] | None]


class AssetChange(SealableRow, Tables):
    """Something that a discovery changed of what was known."""

    __tablename__ = "asset_changes"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("name", "before", "after"))}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    asset_uid: Mapped[UUID]
    name: Mapped[str]
    change: Mapped[str]
    field: Mapped[str | None]
    before: Mapped[str | None]
    after: Mapped[str | None]


class DuplicatePair(SealableRow, Tables):
    """Two assets of a discovery that might be one machine, and what a person said of them."""

    __tablename__ = "duplicate_pairs"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("name", "other_name", "evidence"))}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    asset_uid: Mapped[UUID]
    other_uid: Mapped[UUID]
    name: Mapped[str]
    other_name: Mapped[str]
    probability: Mapped[float]
    evidence: Mapped[str]
    same: Mapped[bool | None]
    decided_by: Mapped[str | None]
