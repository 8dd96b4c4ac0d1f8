"""Who asks, whatever it showed to prove it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.access import Scope
from contracts.envelope import Tenant


class Identity(BaseModel):
    """A person or a system; `subject` never changes and is never given to another, `name` is for people."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["user", "key"]
    subject: str
    name: str
    valid_until: datetime | None = None
    # Of a key: the tenant in which it counts, and what it may do there and below. A person's roles are looked up; one
    # that a client account's own provider let in has a home, too.
    home: Tenant | None = None
    scopes: frozenset[Scope] = frozenset()
    # Of a person: in which session it asks.
    session_id: UUID | None = None
