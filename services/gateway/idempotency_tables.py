"""The gateway's table of answers that are given again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tables import Sealed
from services.chassis.tenancy import TenantRow
from services.gateway.tables import Tables

# Bound to the subject and the key that the answer is kept for.
ANSWER = Sealed("kept_answers.answer", None)


class KeptAnswer(TenantRow, Tables):
    """What a creating request with an `Idempotency-Key` was answered; written with its effect."""

    __tablename__ = "kept_answers"
    __table_args__ = (
        Index(None, "kept_at", postgresql_using="brin"),
        {"info": {"grants": "select, insert, delete, update (answer)", "dispatch": "select (kept_at), delete"}},
    )

    subject: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(comment="Of method, address and body")
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    answer: Mapped[bytes] = mapped_column(comment="Sealed: a new API key may be in it", info={"sealed": ANSWER})
    kept_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
