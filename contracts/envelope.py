"""The envelope every event travels in: CloudEvents 1.0 with our tenancy and tracing extensions."""

import secrets
import time as clock
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

# CloudEvents allows only a-z and 0-9 in attribute names, so the wire drops the underscores.
ATTRIBUTES = {
    "client_account_id": "clientaccountid",
    "engagement_id": "engagementid",
    "flow_id": "flowid",
    "step": "step",
    "causation_id": "causationid",
    "traceparent": "traceparent",
}


def uuid7() -> UUID:
    """A time-ordered UUID version 7 (RFC 9562, section 5.7)."""
    milliseconds = clock.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


class Tenant(BaseModel):
    """Whose data it is: a client account and one engagement of it."""

    model_config = ConfigDict(frozen=True)

    client_account_id: UUID
    engagement_id: UUID


# What belongs to no client, such as a message with an unknown key, belongs to the platform itself.
PLATFORM = Tenant(client_account_id=UUID(int=0), engagement_id=UUID(int=0))


class UnknownEventType(ValueError):
    """A message names an event type that these contracts do not have."""


class Event(BaseModel):
    """One thing that happened or is asked for. Subclasses add the data; these fields are the envelope."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type_name: ClassVar[str] = "#"
    public: ClassVar[bool] = False

    id: UUID = Field(default_factory=uuid7)
    source: str = ""
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))
    tenant: Tenant
    flow_id: UUID | None = None
    step: str | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None

    def __init_subclass__(cls, *, type: str = "", public: bool = False, **kwargs: Any) -> None:
        """Register the class under the one string that names it on the wire."""
        super().__init_subclass__(**kwargs)
        if not type or type in EVENT_TYPES:
            raise TypeError(f"{cls.__name__} needs an event type of its own, not {type!r}")
        cls.type_name, cls.public = type, public
        EVENT_TYPES[type] = cls

    @classmethod
    def data_fields(cls) -> list[str]:
        """The names of the fields that travel as the event's data."""
        return [name for name in cls.model_fields if name not in Event.model_fields]

    @classmethod
    def data_schema(cls) -> dict[str, Any]:
        """The JSON Schema (2020-12) of the event's data."""
        schema = cls.model_json_schema()
        names = cls.data_fields()
        properties = schema.get("properties", {})
        schema["properties"] = {name: properties[name] for name in names}
        schema["required"] = [name for name in schema.get("required", []) if name in names]
        reachable = _reachable_definitions(schema["properties"], schema.get("$defs", {}))
        schema.pop("$defs", None)
        if reachable:
            schema["$defs"] = reachable
        return schema

    @classmethod
    def reply_to(cls, event: "Event", **data: Any) -> Self:
        """A new event in the same tenant, flow and step, caused by `event`."""
        return cls(tenant=event.tenant, flow_id=event.flow_id, step=event.step, causation_id=event.id, **data)

    def to_cloudevent(self) -> dict[str, Any]:
        """The structured-mode CloudEvent, ready for JSON."""
        envelope = {
            "client_account_id": str(self.tenant.client_account_id),
            "engagement_id": str(self.tenant.engagement_id),
            "flow_id": str(self.flow_id) if self.flow_id else None,
            "step": self.step,
            "causation_id": str(self.causation_id) if self.causation_id else None,
            "traceparent": self.traceparent,
        }
        return {
            "specversion": "1.0",
            "id": str(self.id),
            "source": self.source,
            "type": self.type_name,
            "time": self.time.isoformat(),
            "datacontenttype": "application/json",
            "dataschema": f"urn:ai-modernize:event:{self.type_name}",
            **{ATTRIBUTES[name]: value for name, value in envelope.items() if value is not None},
            "data": self.model_dump(mode="json", include=set(self.data_fields())),
        }

    @staticmethod
    def from_cloudevent(message: Mapping[str, Any]) -> "Event":
        """Read a structured-mode CloudEvent.

        Raises `UnknownEventType` for a type that has no class, `pydantic.ValidationError` for data that does not fit.
        """
        name = message.get("type")
        event_class = EVENT_TYPES.get(name) if isinstance(name, str) else None
        if event_class is None:
            raise UnknownEventType(f"no event has the type {name!r}")
        envelope = {name: message.get(wire) for name, wire in ATTRIBUTES.items()}
        tenant = {name: envelope.pop(name) for name in ("client_account_id", "engagement_id")}
        attributes = {key: message[key] for key in ("id", "source", "time") if key in message}
        return event_class.model_validate({**(message.get("data") or {}), **envelope, **attributes, "tenant": tenant})


# Every event of the platform by its type; filled as the classes are made.
EVENT_TYPES: dict[str, type[Event]] = {}


def _reachable_definitions(node: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that `node` refers to, directly or through others."""
    found: dict[str, Any] = {}
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, list):
            pending.extend(current)
        elif isinstance(current, dict):
            name = str(current.get("$ref", "")).removeprefix("#/$defs/")
            if name in definitions and name not in found:
                found[name] = definitions[name]
                pending.append(definitions[name])
            pending.extend(current.values())
    return dict(sorted(found.items()))


class BlobRef(BaseModel):
    """A claim check: where big data lies, and the digest it must have."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(description="<client_account_id>/<engagement_id>/<kind>/<id>: the tenant is part of the key")
    sha256: str
    size_bytes: int
    media_type: str


class Problem(BaseModel):
    """An expected failure: what happened, where, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="Stable snake_case name of the failure, for programs")
    detail: str = Field(description="What happened and what to do, for people")
    file_name: str | None = None
    row: int | None = Field(default=None, description="Row in the file as a person counts it, from 1")
    column: str | None = None
