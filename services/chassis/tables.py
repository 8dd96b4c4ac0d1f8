"""The tables every service has, in its own schema: what came in, what goes out, what is being worked on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy import text as sql

from services.chassis.tenancy import CLIENT_ACCOUNT, ENGAGEMENT


@dataclass(frozen=True)
class Sealed:
    """In a column's `info["sealed"]`: what its values are sealed for, and the column that is their context.

    Without one it is what the primary key has beside the tenant. A rotation of the keys seals such values anew.
    """

    purpose: str
    context: str | None


@dataclass(frozen=True)
class Peppered:
    """In a table's `info["peppered"]`: the column with the root key's version that a digest was made with.

    Such a digest can be made anew only by who has what it was made of. Rows count by the SQL in `where`, and are called
    `what`.
    """

    column: str
    where: str
    what: str


CONFIGURATION_SECRETS = Sealed("configuration.value", "key")


def sealed_columns(table: Table) -> Iterator[tuple[Column[bytes], Sealed]]:
    """The columns of a table that hold sealed values."""
    return ((column, column.info["sealed"]) for column in table.columns if "sealed" in column.info)


def context_columns(table: Table, sealed: Sealed) -> list[Column[object]]:
    """The columns that are the context of a sealed value."""
    if sealed.context is not None:
        return [table.c[sealed.context]]
    return [column for column in table.primary_key if column.name not in ("client_account_id", "engagement_id")]


def context_of(table: Table, row: Mapping[str, object]) -> str:
    """The context of a value that is sealed for its row: the primary key beside the tenant."""
    names = (column.name for column in table.primary_key)
    return " ".join(str(row[name]) for name in names if name not in ("client_account_id", "engagement_id"))


def _tenant_columns(*, key: bool) -> list[Column[object]]:
    return [
        Column("client_account_id", Uuid, primary_key=key, nullable=False, server_default=sql(CLIENT_ACCOUNT)),
        Column("engagement_id", Uuid, primary_key=key, nullable=False, server_default=sql(ENGAGEMENT)),
    ]


class ServiceMetaData(MetaData):
    """The tables of one service: its own, plus inbox, outbox and work; and the extensions that they need."""

    def __init__(self, service: str, extensions: tuple[str, ...] = ()) -> None:
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
        self.extensions = extensions
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
        # What is configured for the tenant; unset keys stay, so that a late event cannot set one again.
        self.configuration = Table(
            "configuration",
            self,
            *_tenant_columns(key=True),
            Column("key", Text, primary_key=True),
            Column("version", BigInteger, nullable=False),
            Column("is_set", Boolean, nullable=False),
            Column("value", JSON),
            Column(
                "sealed",
                LargeBinary,
                comment="A secret's value",
                info={"sealed": CONFIGURATION_SECRETS},
            ),
            # Whose inventory is to be sealed is found by the key's name, not by what is set.
            info={"grants": "select, insert, update", "dispatch": "select (key, version)"},
        )
