"""The tables every service has, in its own schema: what came in, what goes out, what is being worked on."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy import text as sql

from services.chassis.tenancy import CLIENT_ACCOUNT, ENGAGEMENT


def _tenant_columns(*, key: bool) -> list[Column[object]]:
    return [
        Column("client_account_id", Uuid, primary_key=key, nullable=False, server_default=sql(CLIENT_ACCOUNT)),
        Column("engagement_id", Uuid, primary_key=key, nullable=False, server_default=sql(ENGAGEMENT)),
    ]


class ServiceMetaData(MetaData):
    """The tables of one service: its own, plus inbox, outbox and work."""

    def __init__(self, service: str) -> None:
        super().__init__(
            schema=service,
            naming_convention={
                "pk": "pk_%(table_name)s",
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
            },
        )
        self.service = service
        # The primary key is what makes an event take effect once; nobody can use up another tenant's ids.
        self.inbox = Table(
            "inbox",
            self,
            *_tenant_columns(key=True),
            Column("event_id", Uuid, primary_key=True),
            Column("received_at", DateTime(timezone=True), nullable=False, server_default=sql("now()")),
            Index(None, "received_at", postgresql_using="brin"),
            info={"grants": "select, insert, delete", "dispatch": "select, delete"},
        )
        self.outbox = Table(
            "outbox",
            self,
            Column("seq", BigInteger, Identity(always=True), primary_key=True),
            *_tenant_columns(key=False),
            Column("routing_key", Text, nullable=False),
            Column("queue", Text, comment="Set when only this queue gets the event: a retry or a replay"),
            Column("event", JSON(none_as_null=True), nullable=False),
            Column("available_at", DateTime(timezone=True), nullable=False, server_default=sql("now()")),
            Index(None, "available_at", "seq"),
            info={"grants": "select, insert", "dispatch": "select, delete"},
        )
        self.work = Table(
            "work",
            self,
            *_tenant_columns(key=True),
            Column("event_id", Uuid, primary_key=True),
            Column("event_type", Text, nullable=False),
            Column("flow_id", Uuid),
            Column("step", Text),
            Column("requested_at", DateTime(timezone=True), nullable=False, server_default=sql("now()")),
            Column("event", JSON(none_as_null=True), nullable=False),
            Column("priority", Integer, nullable=False, server_default="0", comment="A tenant's higher ones go first"),
            Column("weight", Integer, nullable=False, server_default="1", comment="The tenant's share beside others"),
            Column("attempts", Integer, nullable=False, server_default="0"),
            Column("available_at", DateTime(timezone=True), nullable=False, server_default=sql("now()")),
            Column("lease_until", DateTime(timezone=True), comment="Somebody works on it until then"),
            Column("fence", BigInteger, nullable=False, server_default="0", comment="Grows with every claim"),
            # In the order in which work is claimed, tenant by tenant; and by what is running, and by what is cancelled.
            Index(None, "client_account_id", "priority", "available_at", "event_id"),
            Index(None, "lease_until", postgresql_where=sql("lease_until IS NOT NULL")),
            Index(None, "flow_id"),
            info={"dispatch": "select, update, delete"},
        )
        # What must not run any more, also where the request for it comes only later.
        self.cancelled_work = Table(
            "cancelled_work",
            self,
            *_tenant_columns(key=True),
            Column("flow_id", Uuid, primary_key=True),
            Column("step", Text, primary_key=True, comment="Empty: all work of the flow"),
            Column("cancelled_at", DateTime(timezone=True), nullable=False, comment="Counts for what was asked before"),
            Index(None, "cancelled_at", postgresql_using="brin"),
            info={"grants": "select, insert, update", "dispatch": "select, delete"},
        )
