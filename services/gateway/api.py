"""FastAPI with what it lacks: problem details wherever it answers by itself, and a complete OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from services.gateway.examples import EXAMPLES
from services.gateway.problems import MEDIA_TYPE, sending_problems

PROBLEM_RESPONSES = {"4XX": "What is wrong with the request, and what to do", "5XX": "A fault of the platform"}
_NAMES = {"4XX": "Refused", "5XX": "Failed"}

# Parameters that mean the same wherever they occur; those that need more words have them at their route.
_PARAMETERS = {
    "file_name": "Name of the file, as people know it",
    "asset_uid": "The asset's uid",
    "other_uid": "The uid of the asset that might be the same machine",
    "flow_id": "The flow's id",
    "request_id": "The id that asking returned",
    "repair_id": "The id that asking for the repair returned",
    "task_id": "The task's id",
    "schedule_id": "The schedule's id",
    "field_id": "The field's id, such as own_backup_policy",
    "learning_id": "The id that proposing it returned",
    "mapping_id": "The saved mapping's id",
    "source_id": "The source's id",
    "dead_letter_id": "The dead letter's id",
    "verification_id": "The id that asking for the check returned",
    "format": "The report's format",
    "status": "Only those in this state",
    "flow_type": "Only flows of this type",
    "environment": "The whole name, such as production",
    "application_name": "The whole name",
    "asset_type": "The whole name, such as virtual_machine",
    "strategy": "Only this treatment",
}


class Api(FastAPI):
    """FastAPI with a complete OpenAPI document, and problem details for what is refused before any route."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await super().__call__(scope, receive, sending_problems(scope, send) if scope["type"] == "http" else send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document."""
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with errors as `application/problem+json`, described once, and an example for every model."""
    for path in document["paths"].values():
        for operation in path.values():
            for status, name in _NAMES.items():
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
            for parameter in operation.get("parameters", []):
                if "description" not in parameter:
                    parameter["description"] = _PARAMETERS[parameter["name"]]
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
