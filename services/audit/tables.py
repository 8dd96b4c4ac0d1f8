"""The audit log: entries that can only be appended, each tenant's newest hash, and what was signed of it."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.chassis.tables import Sealed, ServiceMetaData
from services.chassis.tenancy import TenantRow

TENANT = ("client_account_id", "engagement_id")
PRIVATE_KEY = Sealed("signing_keys.sealed_key", "key_id")
APPENDED: dict[str, Any] = {"info": {"grants": "select, insert"}}
# Which logs have something to sign or are broken, and nothing of what it is.
UNSIGNED = "select (client_account_id, engagement_id, unsigned, broken_since)"


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("audit")
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
        list[str]: JSON(none_as_null=True),
        datetime: DateTime(timezone=True),
    }


class LogEntry(TenantRow, Tables):
    """One event as it was heard; the service's role may insert it, nobody may change it."""

    __tablename__ = "entries"
    __table_args__ = (
        Index(None, *TENANT, "event_type", "seq"),
        Index(None, *TENANT, "flow_id", "seq", postgresql_where=text("flow_id IS NOT NULL")),
        Index(None, *TENANT, "actor", "seq", postgresql_where=text("actor IS NOT NULL")),
        APPENDED,
    )

    seq: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    record: Mapped[str]
    hash: Mapped[str]
    written_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    # Read from the record, so that entries can be found; a check compares them with it.
    flow_id: Mapped[UUID | None]
    actor: Mapped[str | None]
    happened_at: Mapped[datetime | None]


class Head(TenantRow, Tables):
    """The newest entry of a tenant's log; locking it gives the entries their order."""

    __tablename__ = "heads"
    __table_args__ = ({"info": {"grants": "select, insert, update", "dispatch": UNSIGNED}},)

    seq: Mapped[int]
    hash: Mapped[str]
    signed_seq: Mapped[int] = mapped_column(server_default="0", comment="Entries that the newest checkpoint covers")
    unsigned: Mapped[int] = mapped_column(server_default="0", comment="Entries after it that tell of no checkpoint")
    broken_since: Mapped[datetime | None] = mapped_column(comment="When it was first found not to be as written")
    broken_detail: Mapped[str | None]


class TreeNode(TenantRow, Tables):
    """A perfect subtree of 256 to the power of `level` entries: what proofs and appending need of the past."""

    __tablename__ = "tree_nodes"
    __table_args__ = (APPENDED,)

    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[bytes]


class SigningKey(TenantRow, Tables):
    """A key that signs this tenant's checkpoints; the newest does, the others still verify."""

    __tablename__ = "signing_keys"
    # A rotation of the root keys seals the private key anew, and nothing else of a row changes.
    __table_args__ = ({"info": {"grants": "select, insert, update (sealed_key)"}},)

    key_id: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[bytes]
    sealed_key: Mapped[bytes] = mapped_column(
        comment="Ed25519, sealed for signing_keys.sealed_key and the key's id", info={"sealed": PRIVATE_KEY}
    )
    made_at: Mapped[datetime]


class SignedCheckpoint(TenantRow, Tables):
    """A tree head that was signed."""

    __tablename__ = "checkpoints"
    __table_args__ = (APPENDED,)

    size: Mapped[int] = mapped_column(primary_key=True)
    root_hash: Mapped[bytes]
    key_id: Mapped[str]
    note: Mapped[str]
    previous_size: Mapped[int]
    consistency: Mapped[list[str]] = mapped_column(comment="Proof that it extends the one before, base64")
    signed_at: Mapped[datetime]
