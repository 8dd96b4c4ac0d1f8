"""CloudEvents as other systems send them: structured or binary mode, with an API key in a header."""

from datetime import datetime
from typing import Any

import orjson

from services.chassis.bus.transport import Delivery

API_KEY_HEADER = "x-api-key"  # pragma: allowlist secret

# "ce-" as the CloudEvents SDK writes it for RabbitMQ; the others as the AMQP 1.0 binding spells them.
_PREFIXES = ("ce-", "cloudEvents_", "cloudEvents:")


class Refused(Exception):
    """A message from outside that cannot be let in."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def read_cloudevent(delivery: Delivery) -> tuple[dict[str, Any], str | None]:
    """The CloudEvent of a message in structured form, and the API key that came with it; raises `Refused`."""
    headers = {key: _text(value) for key, value in delivery.headers.items()}
    api_key = next((str(value) for key, value in headers.items() if key.lower() == API_KEY_HEADER), None)
    try:
        body = orjson.loads(delivery.body)
    except orjson.JSONDecodeError as error:
        raise Refused("not_json", f"The message's body is no JSON: {error}.") from error
    if delivery.content_type.startswith("application/cloudevents+json"):
        message = body
    else:
        message = {**_attributes(headers), "data": body}
    if not isinstance(message, dict) or message.get("specversion") != "1.0":
        raise Refused("not_a_cloudevent", "The message is no CloudEvent 1.0 in structured or binary mode.")
    missing = [name for name in ("id", "source", "type") if not message.get(name)]
    if missing:
        raise Refused("not_a_cloudevent", f"The CloudEvent lacks {', '.join(missing)}.")
    if not isinstance(message.get("data") or {}, dict):
        raise Refused("data_not_an_object", "The CloudEvent's data is no JSON object.")
    return message, api_key


def _attributes(headers: dict[str, Any]) -> dict[str, Any]:
    return {
        key.removeprefix(prefix).lower(): value
        for key, value in headers.items()
        for prefix in _PREFIXES
        if key.startswith(prefix)
    }


def _text(value: Any) -> str | int | bool:
    """A header's value as the JSON of a CloudEvent has it; attributes are never nested (CloudEvents 1.0, types)."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int) else str(value)
