"""The agent runner's tables: analyses, calls of models and their cost, what tools look up and agents remember."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import ARRAY, JSON, BigInteger, DateTime, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.chassis.sealed_rows import SealableRow, Sealing
from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow


class Vector(VECTOR):
    """pgvector's type, named with the schema that it is in: no role of ours reaches another."""

    cache_ok = True

    def get_col_spec(self, **options: Any) -> str:
        """The type as Postgres spells it. Of no fixed size: each embedding model has its own."""
        return "agent_runner.vector"


# So that migrations recognise a column of this type.
ischema_names["agent_runner.vector"] = Vector


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("agent_runner", extensions=("vector",))
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON(none_as_null=True),
        datetime: DateTime(timezone=True),
        Decimal: Numeric(24, 12),
        str: Text,
    }


class Analysis(TenantRow, Tables):
    """One finished analysis of a flow, and the files that it left."""

    __tablename__ = "analyses"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str]
    outputs: Mapped[dict[str, Any]]
    finished_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Inventory(TenantRow, Tables):
    """The newest inventory of the engagement: where its assets lie, for agents that look some up."""

    __tablename__ = "inventories"

    flow_id: Mapped[UUID | None]
    assets: Mapped[dict[str, Any]]
    completed_at: Mapped[datetime]


class DecidedTask(SealableRow, Tables):
    """What a person decided at the gate of a flow, and what they changed."""

    __tablename__ = "decided_tasks"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("comment",), members={"edits": lambda key: True})}},)

    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    flow_id: Mapped[UUID | None]
    kind: Mapped[str]
    decision: Mapped[str]
    comment: Mapped[str | None]
    edits: Mapped[dict[str, Any]]
    decided_at: Mapped[datetime]


class TaughtLesson(TenantRow, Tables):
    """What somebody taught about a column, and whether it counts."""

    __tablename__ = "taught_lessons"

    lesson_id: Mapped[UUID] = mapped_column(primary_key=True)
    source_id: Mapped[UUID | None]
    column: Mapped[str]
    verdict: Mapped[str]
    field: Mapped[str | None]
    unit: Mapped[str | None]
    how: Mapped[str]
    in_force: Mapped[bool]
    revision: Mapped[int] = mapped_column(BigInteger, comment="The change that said so; a newer one wins")


class ModelCallRow(TenantRow, Tables):
    """The ledger: one call of a model, or an answer from the cache in its place.

    A call under a budget is written before it is made, as `open` with the most that it can cost.
    """

    __tablename__ = "model_calls"
    __table_args__ = (
        Index(None, "client_account_id", "engagement_id", "at"),
        Index(None, "client_account_id", "engagement_id", "flow_id"),
        Index(None, "at", postgresql_where=text("outcome = 'open'")),
        {
            "info": {
                "grants": "select, insert, update",
                "dispatch": "select (client_account_id, engagement_id, at, outcome)",
            }
        },
    )

    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    provider: Mapped[str]
    model: Mapped[str]
    agent: Mapped[str]
    task_id: Mapped[UUID]
    flow_id: Mapped[UUID | None]
    purpose: Mapped[str]
    prompt_version: Mapped[str]
    tokens_in: Mapped[int] = mapped_column(BigInteger)
    tokens_out: Mapped[int] = mapped_column(BigInteger)
    cost_usd: Mapped[Decimal]
    cached: Mapped[bool]
    seconds: Mapped[float]
    outcome: Mapped[str]


class ModelSpending(TenantRow, Tables):
    """What models cost in one scope of a budget, `day:2026-11-21` or `flow:…`: what was spent, and what may still be.

    A call reserves the most that it can cost before it is made, and settles what it did cost after it.
    """

    __tablename__ = "model_spending"
    __table_args__ = ({"info": {"grants": "select, insert, update"}},)

    scope: Mapped[str] = mapped_column(primary_key=True)
    spent_usd: Mapped[Decimal]
    reserved_usd: Mapped[Decimal]


class ModelAnswer(TenantRow, Tables):
    """An answer that is used again for the very same question, until it is too old or a newer epoch begins."""

    __tablename__ = "model_answers"
    __table_args__ = (
        Index(None, "expires_at"),
        {"info": {"grants": "select, insert, update", "dispatch": "select (expires_at), delete"}},
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    answer: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]


class ModelAnswersEpoch(TenantRow, Tables):
    """Which answers of a tenant still count: an event that makes them old begins a new epoch."""

    __tablename__ = "model_answers_epoch"
    __table_args__ = ({"info": {"grants": "select, insert, update"}},)

    epoch: Mapped[int] = mapped_column(BigInteger)


class MemoryRow(TenantRow, Tables):
    """What somebody taught or decided, for agents to recall; of what was forgotten only its id and when.

    That is kept for a while: news that come in the wrong order do not bring a memory back.
    """

    __tablename__ = "memories"
    __table_args__ = (
        Index(None, "client_account_id", "engagement_id", "embedder", postgresql_where=text("forgotten_at is null")),
        Index(None, "forgotten_at", postgresql_where=text("forgotten_at is not null")),
        {
            "info": {
                "dispatch": "select (embedder, forgotten_at), delete",
                "unkept": True,
            }
        },
    )

    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    agents: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="Who may recall it")
    text: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    source_event: Mapped[UUID]
    source_type: Mapped[str]
    flow_id: Mapped[UUID | None]
    revision: Mapped[int] = mapped_column(BigInteger, comment="The change of its source that said so; a newer one wins")
    forgotten_at: Mapped[datetime | None]
    embedder: Mapped[str | None] = mapped_column(comment="Whose vector it has: only those of one embedder compare")
    embedding: Mapped[Any] = mapped_column(Vector, nullable=True)
