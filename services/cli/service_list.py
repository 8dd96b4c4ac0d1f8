"""The services of the platform by name; importing one is slow, so each is imported when it is needed."""

from importlib import import_module
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from services.chassis.service import Service

ServiceName = Literal["gateway", "flow_orchestrator", "field_mapping", "agent_runner", "audit"]
SERVICE_NAMES: tuple[str, ...] = get_args(ServiceName)


def declared_service(name: str) -> "Service":
    """The declaration of one service."""
    service: Service = import_module(f"services.{name}.app").service
    return service


def declared_services() -> "list[Service]":
    """The declarations of all services."""
    return [declared_service(name) for name in SERVICE_NAMES]
