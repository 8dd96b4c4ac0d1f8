"""The envelope every event travels in: CloudEvents 1.0 with our tenancy and tracing extensions."""

import json
import secrets
import time as clock
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from json.encoder import encode_basestring as _text
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
    "work_priority": "workpriority",
    "work_weight": "workweight",
}


def uuid7() -> UUID:
    """A time-ordered UUID version 7 (RFC 9562, section 5.7)."""
    milliseconds = clock.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(secrets.token_bytes(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


class Tenant(BaseModel):
    """Whose data it is: a client account and one engagement of it."""

    model_config = ConfigDict(frozen=True)

    client_account_id: UUID
    engagement_id: UUID


@lru_cache(maxsize=1024)
def _tenant(client_account_id: str, engagement_id: str) -> Tenant:
    return Tenant.model_validate({"client_account_id": client_account_id, "engagement_id": engagement_id})


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
    # Of requests for work: which of a tenant's goes first (higher), and the tenant's share beside other tenants.
    work_priority: int | None = Field(default=None, ge=-1000, le=1000)
    work_weight: int | None = Field(default=None, ge=1, le=1000)

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
        return list(_data_fields(cls))

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
    def reply_to(cls, event: "Event | Envelope", **data: Any) -> Self:
        """A new event in the same tenant, flow and step, caused by `event`."""
        return cls(tenant=event.tenant, flow_id=event.flow_id, step=event.step, causation_id=event.id, **data)

    def to_cloudevent(self) -> dict[str, Any]:
        """The structured-mode CloudEvent, ready for JSON."""
        message: dict[str, Any] = json.loads(self.to_json())
        return message

    def to_json(self, source: str | None = None, traceparent: str | None = None) -> str:
        """The structured-mode CloudEvent as JSON; `source` and `traceparent` stand in for those of the event."""
        # Written by hand, in a fifth of the time that dictionaries take: every event passes here.
        head = _head(self.type_name, source or self.source, self.tenant)
        attributes = f'{{"id":"{self.id}","time":"{self.time.isoformat()}",{head}'
        if self.flow_id is not None:
            attributes += f'"flowid":"{self.flow_id}",'
        if self.step is not None:
            attributes += f'"step":{_text(self.step)},'
        if self.causation_id is not None:
            attributes += f'"causationid":"{self.causation_id}",'
        if (traceparent := traceparent or self.traceparent) is not None:
            attributes += f'"traceparent":{_text(traceparent)},'
        if self.work_priority is not None:
            attributes += f'"workpriority":{self.work_priority},'
        if self.work_weight is not None:
            attributes += f'"workweight":{self.work_weight},'
        return f'{attributes}"data":{self.model_dump_json(exclude=_ENVELOPE)}}}'

    @staticmethod
    def from_cloudevent(message: Mapping[str, Any]) -> "Event":
        """Read a structured-mode CloudEvent.

        Raises `UnknownEventType` for a type that has no class, `pydantic.ValidationError` for data that does not fit.
        """
        event_class = _class_of(message)
        fields = dict(message.get("data") or {})
        for field, wire in _OPTIONAL:
            fields[field] = message.get(wire)
        for attribute in ("id", "source", "time"):
            if attribute in message:
                fields[attribute] = message[attribute]
        fields["tenant"] = _tenant_of(message)
        return event_class.model_validate(fields)


class Envelope(BaseModel):
    """An event of which only the envelope was read: for who keeps events, and need not understand them."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    type_name: str
    tenant: Tenant
    flow_id: UUID | None = None
    step: str | None = None
    traceparent: str | None = None
    message: dict[str, Any]

    @staticmethod
    def from_cloudevent(message: Mapping[str, Any]) -> "Envelope":
        """As `Event.from_cloudevent`, but whatever the event's data is."""
        return Envelope.model_validate(
            {
                "id": message.get("id"),
                "type_name": _class_of(message).type_name,
                "tenant": _tenant_of(message),
                "flow_id": message.get("flowid"),
                "step": message.get("step"),
                "traceparent": message.get("traceparent"),
                "message": message,
            }
        )

    def event(self) -> Event:
        """The whole event; raises `pydantic.ValidationError` for data that does not fit."""
        return Event.from_cloudevent(self.message)


def _class_of(message: Mapping[str, Any]) -> type[Event]:
    name = message.get("type")
    event_class = EVENT_TYPES.get(name) if isinstance(name, str) else None
    if event_class is None:
        raise UnknownEventType(f"no event has the type {name!r}")
    return event_class


def _tenant_of(message: Mapping[str, Any]) -> Tenant | dict[str, Any]:
    account, engagement = message.get("clientaccountid"), message.get("engagementid")
    if isinstance(account, str) and isinstance(engagement, str):
        return _tenant(account, engagement)
    return {"client_account_id": account, "engagement_id": engagement}


@cache
def _data_fields(event_class: type[Event]) -> tuple[str, ...]:
    return tuple(name for name in event_class.model_fields if name not in _ENVELOPE)


# Every event of the platform by its type; filled as the classes are made.
EVENT_TYPES: dict[str, type[Event]] = {}

_ENVELOPE = set(Event.model_fields)
_OPTIONAL = [(field, wire) for field, wire in ATTRIBUTES.items() if field in Event.model_fields]


@lru_cache(maxsize=4096)
def _head(type_name: str, source: str, tenant: Tenant) -> str:
    """The attributes that are the same in many events."""
    return (
        f'"specversion":"1.0","source":{_text(source)},"type":{_text(type_name)},"datacontenttype":"application/json",'
        f'"dataschema":{_text(f"urn:ai-modernize:event:{type_name}")},'
        f'"clientaccountid":"{tenant.client_account_id}","engagementid":"{tenant.engagement_id}",'
    )


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
    """A claim check: where big data lies, and the digest that its content has."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(description="<client_account_id>/<engagement_id>/<kind>/<id>: the tenant is part of the key")
    sha256: str
    size_bytes: int
    media_type: str
    sealed: bool = Field(default=False, description="Whether it lies encrypted, for its tenant and key alone")


class Problem(BaseModel):
    """An expected failure: what happened, where, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="Stable snake_case name of the failure, for programs")
    detail: str = Field(description="What happened and what to do, for people")
    file_name: str | None = None
    row: int | None = Field(default=None, description="Row in the file as a person counts it, from 1")
    column: str | None = None
