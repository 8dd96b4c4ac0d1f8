"""What happens to API keys, and who was refused; never what a key is."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.access import Role, Scope
from contracts.envelope import Event


class ApiKeyCreated(Event, type="api_key.created"):
    """A system got a key of this tenant."""

    key_id: str
    name: str
    role: Role
    scopes: list[Scope]
    expires_at: datetime | None
    created_by: str = Field(description="Subject, such as user:… or key:…")
    created_by_name: str


class ApiKeyRotated(Event, type="api_key.rotated"):
    """A key got a successor, and ends itself after a while."""

    key_id: str
    new_key_id: str
    ends_at: datetime = Field(description="Until when the old one still counts")
    rotated_by: str = Field(description="Subject")
    rotated_by_name: str


class ApiKeyRevoked(Event, type="api_key.revoked"):
    """A key counts no longer."""

    key_id: str
    name: str
    revoked_by: str = Field(description="Subject")
    revoked_by_name: str
    reason: Literal["asked", "maker_lost_access"] = "asked"


class AccessRefused(Event, type="access.refused"):
    """Somebody may not do what it asked for; who showed no valid credential is told of in the platform's tenant.

    Of the same refusals within a minute the first is told at once, and the others are counted in the next one.
    """

    subject: str | None = Field(description="Who, where a credential told")
    name: str | None
    method: str
    route: str = Field(description="The route's name, as in OpenAPI")
    status: int
    code: str
    reason: str
    repeated: int = Field(default=0, description="Refusals of the same kind since the last one that was told")
