"""What a key of the dynamic configuration is, and for whom a value of one counts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from contracts.access import Scope
from contracts.envelope import PLATFORM, Tenant

T = TypeVar("T")

# For whom a value counts. The nearer one wins: engagement, then client account, then platform, then the default.
Level = Literal["platform", "client", "engagement"]
EVERY_LEVEL: tuple[Level, ...] = ("platform", "client", "engagement")


@dataclass(frozen=True)
class Key(Generic[T]):
    """Something that can be configured while the platform runs.

    `kind` is what pydantic validates values with. `scope` is what setting it takes at the level where it is set.
    A `secret` is stored sealed, and nobody but the services in `read_by` can read it again.
    """

    name: str
    kind: Any
    default: T
    description: str
    read_by: tuple[str, ...]
    levels: tuple[Level, ...] = EVERY_LEVEL
    scope: Scope = "configuration:write"
    secret: bool = False

    @cached_property
    def adapter(self) -> TypeAdapter[T]:
        """What validates a value; it takes values as JSON has them and turns none into another type."""
        return TypeAdapter(self.kind)

    def value_of(self, given: Any) -> T:
        """A valid value; raises `pydantic.ValidationError`."""
        return self.adapter.validate_python(given, strict=True)


def level_tenant(level: Level, tenant: Tenant) -> Tenant:
    """The tenant whose rows hold what is configured for `tenant` at a level."""
    if level == "platform":
        return PLATFORM
    if level == "client":
        return Tenant(client_account_id=tenant.client_account_id, engagement_id=UUID(int=0))
    return tenant
