"""What the REST interface takes and gives about configuration that changes while the platform runs."""

from datetime import datetime
from typing import Any

from pydantic import Field

from contracts.configuration import Level
from contracts.rest import View


class ConfigurationBody(View):
    """A new value, and why."""

    value: Any = Field(description="As the key's schema says")
    reason: str = Field(min_length=3, max_length=500, examples=["Asked for by the client's works council"])


class ConfigurationView(View):
    """A key, what counts for the tenant, and where that was set."""

    key: str
    description: str
    value: Any = Field(description="What counts for this tenant; null for a secret, which nobody can read again")
    origin: Level | None = Field(description="The level whose value counts; null: nobody set one, it is the default")
    default: Any
    value_schema: dict[str, Any] = Field(description="JSON Schema of its values")
    levels: list[Level] = Field(description="Where it can be set; the nearest value counts")
    secret: bool
    read_by: list[str] = Field(description="Services that act on it")
    level: Level = Field(description="What this tenant is: an engagement, a client account, or the platform")
    version: int = Field(description="How often it was changed at this level; the ETag, for If-Match")


class ConfigurationPage(View):
    """All keys that count for a tenant, by name."""

    items: list[ConfigurationView]


class ConfigurationChange(View):
    """Who changed a key at this level, when, why, and from what to what."""

    version: int
    changed_at: datetime
    changed_by: str
    reason: str
    is_set: bool = Field(description="False: it was unset, and the next level's value counts since")
    secret: bool = Field(description="Of a secret only that it changed is known")
    old: Any = Field(description="Null where there was none, and for a secret")
    new: Any
