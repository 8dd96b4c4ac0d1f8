"""The gateway's tables about agents: which there are, what they are asked, and what is told of it while they work."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.sealed_rows import SealableRow, Sealing
from services.chassis.tenancy import TenantRow
from services.gateway.tables import TENANT, Tables


class AgentRow(TenantRow, Tables):
    """An agent, as its runner told it; all are the platform's."""

    __tablename__ = "agents"

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    capabilities: Mapped[list[Any]]
    input_schema: Mapped[dict[str, Any]]
    output_schema: Mapped[dict[str, Any]]
    prompt_version: Mapped[str]
    models_ready: Mapped[bool]
    last_seen: Mapped[datetime]


class AgentTask(SealableRow, Tables):
    """A task as the newest news of it tells."""

    __tablename__ = "agent_tasks"
    __table_args__ = (
        Index(None, *TENANT, "flow_id", postgresql_where=text("(flow_id IS NOT NULL)")),
        Index(
            "ix_agent_tasks_schedule",
            *TENANT,
            "schedule_id",
            "task_id",
            postgresql_where=text("(schedule_id IS NOT NULL)"),
        ),
        Index(None, *TENANT, "requested_at", "task_id"),
        Index("ix_agent_tasks_due", "start_at", postgresql_where=text("(status = 'scheduled'::text)")),
        Index("ix_agent_tasks_active", "agent", postgresql_where=text("(ended_at IS NULL)")),
        Index("ix_agent_tasks_ended", *TENANT, "ended_at", postgresql_where=text("(ended_at IS NOT NULL)")),
        {
            "info": {
                "dispatch": "select (client_account_id, engagement_id, flow_id, agent, status, start_at, ended_at)",
                "sealing": Sealing(columns=("inputs", "result")),
            }
        },
    )

    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    capability: Mapped[str]
    agent: Mapped[str | None]
    status: Mapped[str]
    attempt: Mapped[int]
    priority: Mapped[int]
    request_id: Mapped[UUID | None] = mapped_column(comment="The newest event that asked for it; null while scheduled")
    flow_id: Mapped[UUID | None]
    step: Mapped[str | None] = mapped_column(comment="The step of its flow, where a phase of the flow asked")
    schedule_id: Mapped[UUID | None]
    inputs: Mapped[dict[str, Any]]
    timeout_seconds: Mapped[float]
    token_budget: Mapped[int | None]
    cpu_budget_seconds: Mapped[float | None]
    requested_by: Mapped[str | None]
    requested_at: Mapped[datetime]
    start_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    progress: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]
    engine: Mapped[str | None]
    model: Mapped[str | None]
    seconds: Mapped[float | None]


class AgentSchedule(SealableRow, Tables):
    """A task that the clock asks for again and again."""

    __tablename__ = "agent_schedules"
    __table_args__ = (
        Index("ix_agent_schedules_due", "next_at", postgresql_where=text("(next_at IS NOT NULL)")),
        {
            "info": {
                "dispatch": "select (client_account_id, engagement_id, next_at)",
                "sealing": Sealing(columns=("inputs",)),
            }
        },
    )

    schedule_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    cron: Mapped[str]
    time_zone: Mapped[str]
    agent: Mapped[str | None] = mapped_column(comment="Null: each time whoever has the capability and least to do")
    capability: Mapped[str]
    inputs: Mapped[dict[str, Any]]
    priority: Mapped[int]
    timeout_seconds: Mapped[float]
    token_budget: Mapped[int | None]
    cpu_budget_seconds: Mapped[float | None]
    next_at: Mapped[datetime | None] = mapped_column(comment="Null while it is paused")
    last_at: Mapped[datetime | None] = mapped_column(comment="The time for which it asked last")
    missed: Mapped[int] = mapped_column(comment="Times that passed while no gateway could ask")
    saved_by: Mapped[str]
    saved_at: Mapped[datetime]

    @property
    def paused(self) -> bool:
        """Whether it asks for nothing."""
        return self.next_at is None


class AgentTaskSum(TenantRow, Tables):
    """How many tasks of a day ended how, of those that are not kept any more."""

    __tablename__ = "agent_task_sums"

    day: Mapped[date] = mapped_column(Date, primary_key=True, comment="UTC; on which they ended")
    agent: Mapped[str] = mapped_column(primary_key=True, comment="Empty where nobody had begun")
    engine: Mapped[str] = mapped_column(primary_key=True, comment="Empty where nothing answered")
    model: Mapped[str] = mapped_column(primary_key=True, comment="Empty where none answered")
    completed: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    cancelled: Mapped[int] = mapped_column(BigInteger)


class ModelCost(TenantRow, Tables):
    """What model calls of a day cost, as far as they are alike."""

    __tablename__ = "model_costs"
    __table_args__ = (
        {"info": {"dispatch": "select (provider, model, calls, cached, failed, tokens_in, tokens_out, cost_usd)"}},
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True, comment="UTC")
    agent: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    flow_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The nil UUID for calls of no flow")
    calls: Mapped[int] = mapped_column(BigInteger)
    cached: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    tokens_in: Mapped[int] = mapped_column(BigInteger)
    tokens_out: Mapped[int] = mapped_column(BigInteger)
    cost_usd: Mapped[Decimal] = mapped_column(Numeric)


class AgentNewsHead(TenantRow, Tables):
    """How much was told in an engagement; locked by who tells more, so that numbers come in the order of commits."""

    __tablename__ = "agent_news_heads"
    __table_args__ = ({"info": {"dispatch": "select"}},)

    seq: Mapped[int] = mapped_column(BigInteger)


class AgentNewsRow(TenantRow, Tables):
    """Something that was told of a task, kept for those who were away."""

    __tablename__ = "agent_news"
    __table_args__ = (
        Index(None, "at", postgresql_using="brin"),
        {"info": {"dispatch": "select (client_account_id, engagement_id, seq, at), delete"}},
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str]
    at: Mapped[datetime]
    task_id: Mapped[UUID]
    flow_id: Mapped[UUID | None]
    task: Mapped[dict[str, Any]] = mapped_column(comment="How the task stood then")
