"""The AsyncAPI 3.0 document of the platform: made from the event classes and what each service declares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.encryption import EncryptionProgressed
from contracts.envelope import EVENT_TYPES, Event
from contracts.flows import WorkProgressed
from contracts.inventory_sealing import InventorySealingProgressed
from contracts.operations import EventDeadLettered
from services.chassis.bus.external import API_KEY_HEADER
from services.chassis.bus.rabbitmq import DELIVERY_LIMIT
from services.chassis.bus.transport import DEAD, EVENTS, EXTERNAL, PUBLIC
from services.chassis.inventory_sealing import sealable_tables, withholding_tables
from services.chassis.service import Service

Document = dict[str, Any]

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON_SCHEMA = "application/schema+json;version=draft-2020-12"
AMQP_BINDING = "0.3.0"

ENVELOPE: Document = {
    "title": "CloudEvent",
    "description": "CloudEvents 1.0 in structured mode, with the platform's tenancy and tracing as extensions.",
    "type": "object",
    "required": ["specversion", "id", "source", "type", "clientaccountid", "engagementid", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "description": "UUIDv7; an event takes effect once by this id"},
        "source": {"type": "string", "description": "/services/<service> for the platform's own events"},
        "type": {"type": "string", "description": "The event's name, which is its routing key too"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string", "format": "uri", "description": "urn:ai-modernize:event:<type>"},
        "clientaccountid": {"type": "string", "format": "uuid", "description": "Whose data it is"},
        "engagementid": {"type": "string", "format": "uuid", "description": "The client account's engagement"},
        "flowid": {"type": "string", "format": "uuid", "description": "The flow it belongs to"},
        "step": {"type": "string", "description": "<phase>:<attempt> of the flow that asked for it"},
        "causationid": {"type": "string", "format": "uuid", "description": "The event that caused it"},
        "traceparent": {"type": "string", "description": "W3C Trace Context"},
        "workpriority": {"type": "integer", "description": "Of a request for work: the tenant's higher ones go first"},
        "workweight": {"type": "integer", "minimum": 1, "description": "Of a request for work: the tenant's share"},
        "data": {"type": "object"},
    },
}
API_KEY_HEADERS: Document = {
    "type": "object",
    "required": [API_KEY_HEADER],
    "properties": {API_KEY_HEADER: {"type": "string", "description": "The API key, as in REST"}},
}


@dataclass(frozen=True)
class Participant:
    """A service, and what it sends and lets in beside what its handlers declare."""

    service: Service
    sends: tuple[type[Event], ...] = ()
    admits: tuple[type[Event], ...] = ()

    def sent(self) -> list[type[Event]]:
        """Every event it may send: its handlers', its own, and the chassis' reports of work and dead letters."""
        found: set[type[Event]] = {*self.service.emitted(), *self.sends, EventDeadLettered, EncryptionProgressed}
        if sealable_tables(self.service.metadata) or withholding_tables(self.service.metadata):
            found.add(InventorySealingProgressed)
        if any(handler.long for handler in self.service.handlers):
            found.add(WorkProgressed)
        return sorted(found, key=lambda event: event.type_name)


def asyncapi(participants: Sequence[Participant]) -> Document:
    """The document; the schemas of the events' data are references to `./schemas/<type>.json`."""
    events = [EVENT_TYPES[name] for name in sorted(EVENT_TYPES)]
    admitted = [event for participant in participants for event in participant.admits]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "AI Modernize events",
            "version": "1",
            "description": (
                "Services talk through the topic exchange `events`; its messages are batches of CloudEvents, most "
                "often of one. Other systems send to `external`, with an API key, and listen on `public`: one "
                "CloudEvent a message. A breaking change of an event is a new type that ends in `.v2`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "defaultContentType": STRUCTURED,
        "servers": {
            "rabbitmq": {
                "host": "{host}:5672",
                "protocol": "amqp",
                "protocolVersion": "0-9-1",
                "description": "MODERNIZE_RABBITMQ_URL; embedded, the same messages travel inside one process",
                "variables": {"host": {"default": "localhost"}},
            }
        },
        "channels": {
            **{f"{EVENTS}.{event.type_name}": _exchange_channel(EVENTS, event, "batch") for event in events},
            **{f"{PUBLIC}.{event.type_name}": _exchange_channel(PUBLIC, event) for event in events if event.public},
            **{f"{EXTERNAL}.{event.type_name}": _exchange_channel(EXTERNAL, event, "external") for event in admitted},
            **{name: channel for participant in participants for name, channel in _queues(participant, events)},
        },
        "operations": {
            name: operation for participant in participants for name, operation in _operations(participant, events)
        },
        "components": {
            "schemas": {"cloudevent": ENVELOPE, **{event.type_name: _structured(event) for event in events}},
            "messages": {
                **{f"{event.type_name}.batch": _batch_message(event) for event in events},
                **{event.type_name: _message(event) for event in events if event.public},
                **{
                    f"{event.type_name}.external": {**_message(event), "headers": API_KEY_HEADERS} for event in admitted
                },
            },
        },
    }


def _structured(event: type[Event]) -> Document:
    data = {"$ref": f"./schemas/{event.type_name}.json"}
    own = {"properties": {"type": {"const": event.type_name}, "data": data}}
    return {"description": event.__doc__, "allOf": [{"$ref": "#/components/schemas/cloudevent"}, own]}


def _message(event: type[Event]) -> Document:
    return {
        "name": event.type_name,
        "title": event.__name__,
        "summary": event.__doc__,
        "contentType": STRUCTURED,
        "payload": {"schemaFormat": JSON_SCHEMA, "schema": {"$ref": f"#/components/schemas/{event.type_name}"}},
    }


def _batch_message(event: type[Event]) -> Document:
    items = {"type": "array", "minItems": 1, "items": {"$ref": f"#/components/schemas/{event.type_name}"}}
    return {**_message(event), "contentType": BATCH, "payload": {"schemaFormat": JSON_SCHEMA, "schema": items}}


def _message_refs(names: Sequence[str]) -> Document:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _exchange_channel(exchange: str, event: type[Event], suffix: str = "") -> Document:
    message = f"{event.type_name}.{suffix}" if suffix else event.type_name
    return {
        "address": event.type_name,
        "messages": _message_refs([message]),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": exchange,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                    "vhost": "/",
                },
                "bindingVersion": AMQP_BINDING,
            }
        },
    }


def _queues(participant: Participant, events: list[type[Event]]) -> Iterator[tuple[str, Document]]:
    """Every queue of a service with what is routed into it."""
    service = participant.service
    for event in service.heard():
        names = [f"{one.type_name}.batch" for one in (events if event is Event else [event])]
        yield service.queue_of(event), _queue_channel(service, service.queue_of(event), EVENTS, event.type_name, names)
    if participant.admits:
        names = [f"{event.type_name}.external" for event in participant.admits]
        name = f"{service.name}.external"
        yield name, _queue_channel(service, name, EXTERNAL, "#", names)
    name = f"{service.name}.dead"
    yield name, _queue_channel(service, name, DEAD, name, [])


def _queue_channel(service: Service, queue: str, exchange: str, routing_key: str, messages: Sequence[str]) -> Document:
    return {
        "address": queue,
        "messages": _message_refs(messages),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": queue, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"},
                "bindingVersion": AMQP_BINDING,
                # The binding knows neither, so they stand as extensions.
                "x-bound-to": {"exchange": exchange, "routing-key": routing_key},
                "x-arguments": queue_arguments(service.name),
            }
        },
    }


def queue_arguments(service: str) -> Document:
    """The arguments that every queue of a service is declared with."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": f"{service}.dead",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _operations(participant: Participant, events: list[type[Event]]) -> Iterator[tuple[str, Document]]:
    service = participant.service
    for event in participant.sent():
        yield f"{service.name}.send.{event.type_name}", _operation("send", f"{EVENTS}.{event.type_name}", event)
        if event.public:
            name = f"{service.name}.publish.{event.type_name}"
            yield name, _operation("send", f"{PUBLIC}.{event.type_name}", event)
    for event in service.heard():
        name = "all" if event is Event else event.type_name
        yield f"{service.name}.receive.{name}", _operation("receive", service.queue_of(event), event)
    for event in participant.admits:
        yield f"{service.name}.admit.{event.type_name}", _operation("receive", f"{service.name}.external", event)


def _operation(action: str, channel: str, event: type[Event]) -> Document:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": event.__doc__}
