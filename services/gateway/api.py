"""FastAPI with what it lacks: problem details wherever it answers by itself, and a complete OpenAPI document."""

from functools import cached_property
from typing import Any

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from contracts.configuration import CORS_ORIGINS
from contracts.envelope import PLATFORM
from services.chassis.runtime import Runtime
from services.gateway.examples.models import EXAMPLES
from services.gateway.problems import MEDIA_TYPE, problem_response, sending_problems
from services.gateway.request_limits import sending_standings
from services.gateway.web_safety import allowed_hosts, docs_policy, receiving_shallow, refusal, sending_safely

log = structlog.get_logger()

PROBLEM_RESPONSES = {"4XX": "What is wrong with the request, and what to do", "5XX": "A fault of the platform"}
_NAMES = {"4XX": "Refused", "5XX": "Failed"}

# Of pages of other origins that are allowed: what they may send, and see of an answer.
_CORS_REQUEST_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"),
    *("X-API-Key", "X-Client-Account-Id", "X-Engagement-Id"),
)
_CORS_ANSWER_HEADERS = ("ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After")

# Parameters that mean the same wherever they occur; those that need more words have them at their route.
_PARAMETERS = {
    "file_name": "Name of the file, as people know it",
    "asset_uid": "The asset's uid",
    "other_uid": "The uid of the asset that might be the same machine",
    "flow_id": "The flow's id",
    "request_id": "The id that asking returned",
    "repair_id": "The id that asking for the repair returned",
    "task_id": "The task's id",
    "agent_id": "The agent's id, such as migration_strategist",
    "schedule_id": "The schedule's id",
    "key": "The key's name, such as separation_of_duties",
    "field_id": "The field's id, such as own_backup_policy",
    "learning_id": "The id that proposing it returned",
    "mapping_id": "The saved mapping's id",
    "memory_id": "The memory's id",
    "source_id": "The source's id",
    "webhook_id": "The endpoint's id",
    "delivery_id": "The delivery's id",
    "dead_letter_id": "The dead letter's id",
    "verification_id": "The id that asking for the check returned",
    "key_id": "The key's id: the characters between its second and its third underscore",
    "format": "The report's format",
    "user_id": "The person's id",
    "role": "The role",
    "invitation_id": "The invitation's id",
    "session_id": "The session's id",
    "provider_id": "The login provider's id",
    "client_account_id": "The client account whose login provider it is; absent: the platform's",
    "status": "Only those in this state",
    "flow_type": "Only flows of this type",
    "environment": "The whole name, such as production",
    "application_name": "The whole name",
    "asset_type": "The whole name, such as virtual_machine",
    "strategy": "Only this treatment",
}
_TRUE = {"type": "string", "const": "true"}


class Api(FastAPI):
    """FastAPI with a complete OpenAPI document, and problem details for what is refused before any route."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket" and refusal(scope, self._hosts):
            await WebSocketClose(1008)(scope, receive, send)
            return
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        send = sending_safely(scope, sending_problems(scope, sending_standings(scope, send)), self._docs_policy)
        if refused := refusal(scope, self._hosts):
            await problem_response(scope["path"], refused)(scope, receive, send)
            return
        origins = await self._origins() if any(name == b"origin" for name, _ in scope["headers"]) else []
        await (self._open_to(tuple(origins)) if origins else super().__call__)(
            scope, receiving_shallow(scope, receive), send
        )

    @cached_property
    def _docs_policy(self) -> bytes:
        return docs_policy(f"{self.title} - Swagger UI", self.openapi_url or "")

    @cached_property
    def _hosts(self) -> frozenset[str] | None:
        return allowed_hosts(self.state.runtime.settings)

    async def _origins(self) -> list[str]:
        """The web pages that may call this interface; none while that cannot be read."""
        runtime: Runtime = self.state.runtime
        try:
            return await runtime.configuration.value(PLATFORM, CORS_ORIGINS)
        except (DBAPIError, OSError) as error:
            log.warning("cors_origins_unknown", reason=repr(error))
            return []

    def _open_to(self, origins: tuple[str, ...]) -> CORSMiddleware:
        return CORSMiddleware(
            super().__call__,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=_CORS_REQUEST_HEADERS,
            expose_headers=_CORS_ANSWER_HEADERS,
        )

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document."""
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with errors as `application/problem+json`, described once, and an example for every model."""
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
    schemas: dict[str, Any] = document["components"]["schemas"]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    document["components"]["responses"] = {
        _NAMES[status]: {"description": description, "content": content}
        for status, description in PROBLEM_RESPONSES.items()
    }
    for name, schema in schemas.items():
        # A model with defaults that is both taken and given has a schema for each.
        model = name.removesuffix("-Input").removesuffix("-Output")
        if model in EXAMPLES:
            schema["examples"] = [EXAMPLES[model]]
        elif name.startswith("Page_"):
            item = name.removeprefix("Page_").removesuffix("_")
            schema["examples"] = [{"items": [EXAMPLES[item]], "next_cursor": None}]
    return document


def _complete(operation: dict[str, Any]) -> None:
    for status, name in _NAMES.items():
        operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    for response in operation["responses"].values():
        _tell_of_streams(response.get("content", {}))
    for parameter in operation.get("parameters", []):
        if "description" not in parameter:
            parameter["description"] = _PARAMETERS[parameter["name"]]
        if parameter["name"] == "Idempotency-Key":
            _tell_of_replays(operation["responses"])


def _tell_of_streams(content: dict[str, Any]) -> None:
    """Say in OpenAPI 3.1 that an answer is a stream of events; `itemSchema` is of 3.2."""
    if content.get("text/event-stream", {}).pop("itemSchema", None) is not None:
        content["text/event-stream"]["schema"] = {"type": "string"}


def _tell_of_replays(responses: dict[str, Any]) -> None:
    told = {"description": "`true` if the request was answered before and had no second effect", "schema": _TRUE}
    for status, response in responses.items():
        if status.startswith("2"):
            response.setdefault("headers", {})["Idempotency-Replayed"] = told
