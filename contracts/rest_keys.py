"""What the REST interface takes and gives about API keys."""

from datetime import datetime

from pydantic import AwareDatetime, Field

from contracts.access import Role, Scope
from contracts.rest import View


class ApiKeyBody(View):
    """A key for a system. It counts in the tenant of the request: an engagement, a client account or the platform."""

    name: str = Field(min_length=1, max_length=100, examples=["CMDB export"])
    role: Role = Field(
        default="service_account",
        description="What it may do at most. With another one than `service_account` it acts for the person who makes "
        "it, and is revoked when that person may not do any more what it can",
    )
    scopes: list[Scope] | None = Field(
        default=None, min_length=1, description="Of the role's scopes only these; else all that the caller has, too"
    )
    expires_at: AwareDatetime | None = Field(default=None, description="When it ends; without it only by being revoked")


class ApiKeyRotation(View):
    """How a key is replaced."""

    overlap_hours: float = Field(
        default=24, ge=0, le=24 * 90, description="For how long the old key counts beside the new one"
    )


class ApiKeyView(View):
    """A key, without what makes it one."""

    key_id: str = Field(description="The characters between the second and the third underscore of the key")
    name: str
    role: Role
    scopes: list[Scope]
    created_by_name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute")
    revoked_at: datetime | None
    revoked_by_name: str | None
    replaced_by: str | None = Field(description="The id of the key that it was rotated to")
    maker_left: bool = Field(
        default=False, description="Whether the person behind it has no business here any more. Rotate it, or revoke it"
    )
    pepper: int = Field(description="Version of the root key that its digest was made with; it renews itself with use")


class ApiKeyMade(ApiKeyView):
    """A key as it is shown once."""

    key: str | None = Field(description="The key itself. It is shown this once: nobody can read it later")
