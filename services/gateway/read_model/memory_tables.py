"""The gateway's table of what agents remember: a read model of what their runner tells."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tenancy import TenantRow
from services.gateway.tables import Tables


class MemoryRow(TenantRow, Tables):
    """A memory; of a forgotten one only its id is left, for a while, so that late news do not bring it back."""

    __tablename__ = "agent_memories"
    __table_args__ = (
        Index(None, "forgotten_at", postgresql_where=text("forgotten_at is not null")),
        {"info": {"dispatch": "select (forgotten_at), delete", "unkept": True}},
    )

    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    agents: Mapped[list[str]] = mapped_column(ARRAY(Text))
    text: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    source_event: Mapped[UUID]
    source_type: Mapped[str]
    flow_id: Mapped[UUID | None]
    revision: Mapped[int] = mapped_column(BigInteger, comment="The change that said so; a newer one wins")
    forgotten_at: Mapped[datetime | None]
