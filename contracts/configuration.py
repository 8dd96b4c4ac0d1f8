"""Dynamic configuration: every key there is, and the event that a value of one has changed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from contracts.configuration_key import EVERY_LEVEL, Key, Level, level_tenant
from contracts.envelope import Event
from contracts.mcp_configuration import MCP_KEYS
from contracts.model_configuration import MODEL_KEYS
from contracts.readiness import checked_thresholds

__all__ = ["EVERY_LEVEL", "KEYS", "ConfigurationChanged", "Key", "Level", "level_tenant"]

_Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.:\[\]-]+$", max_length=200)]
_Count = Annotated[int, Field(ge=1, le=2**53)]

SEPARATION_OF_DUTIES: Key[bool] = Key(
    name="separation_of_duties",
    kind=bool,
    default=False,
    description="Whoever edited a mapping or a plan may not approve it",
    read_by=("gateway",),
    # Not an engagement's own affair: those whom it binds could lift it.
    levels=("platform", "client"),
)
TENANT_REQUESTS_PER_MINUTE: Key[int] = Key(
    name="tenant_requests_per_minute",
    kind=_Count,
    default=30_000,
    description="REST requests a minute that all callers of an engagement may make together",
    read_by=("gateway",),
    scope="platform:write",
)
TENANT_REQUEST_BURST: Key[int] = Key(
    name="tenant_request_burst",
    kind=_Count,
    default=5_000,
    description="REST requests of an engagement that may come at once before the rate counts",
    read_by=("gateway",),
    scope="platform:write",
)
CALLER_REQUESTS_PER_MINUTE: Key[int] = Key(
    name="caller_requests_per_minute",
    kind=_Count,
    default=6_000,
    description="REST requests a minute that one API key or person may make",
    read_by=("gateway",),
    scope="platform:write",
)
CALLER_REQUEST_BURST: Key[int] = Key(
    name="caller_request_burst",
    kind=_Count,
    default=1_000,
    description="REST requests of one API key or person that may come at once before the rate counts",
    read_by=("gateway",),
    scope="platform:write",
)
UPLOAD_BYTES_PER_DAY: Key[int | None] = Key(
    name="upload_bytes_per_day",
    kind=_Count | None,
    default=None,
    description="Bytes that an engagement may upload in 24 hours; null: as many as it likes",
    read_by=("gateway",),
    scope="platform:write",
)
ROWS_PER_IMPORT: Key[int | None] = Key(
    name="rows_per_import",
    kind=_Count | None,
    default=None,
    description="Rows that the files of one import may have; null: as many as they like",
    read_by=("field_mapping",),
    scope="platform:write",
)
FLOWS_PER_DAY: Key[int | None] = Key(
    name="flows_per_day",
    kind=_Count | None,
    default=None,
    description="Flows that an engagement may start in 24 hours; null: as many as it likes",
    read_by=("gateway",),
    scope="platform:write",
)
AGENT_TASK_RETENTION_DAYS: Key[int] = Key(
    name="agent_task_retention_days",
    kind=Annotated[int, Field(ge=1, le=3650)],
    default=90,
    description="Days for which agent tasks are kept that have ended; then they only count in /agent-performance",
    read_by=("gateway",),
    scope="platform:write",
)
READINESS_GATE: Key[bool] = Key(
    name="readiness_gate",
    kind=bool,
    default=True,
    description="A person is asked before assessment and planning where the inventory is not ready for them",
    read_by=("field_mapping",),
)
READINESS_THRESHOLDS: Key[dict[str, dict[str, float]]] = Key(
    name="readiness_thresholds",
    kind=Annotated[dict[str, dict[str, float]], AfterValidator(checked_thresholds)],
    default={},
    description="Shares that a phase needs in place of ours, by phase and figure; GET /readiness names them",
    read_by=("gateway", "field_mapping"),
)
CORS_ORIGINS: Key[list[str]] = Key(
    name="cors_origins",
    kind=Annotated[list[_Origin], Field(max_length=50)],
    default=[],
    description="Web pages of these origins may call the REST interface, such as https://console.example.com",
    read_by=("gateway",),
    levels=("platform",),
    scope="platform:write",
)
WEBHOOKS_ENABLED: Key[bool] = Key(
    name="webhooks_enabled",
    kind=bool,
    default=True,
    description="Webhooks are delivered; what happens while they are not is not made up for",
    read_by=("gateway",),
    levels=("platform", "client"),
    scope="platform:write",
)
SEALED_INVENTORY: Key[bool] = Key(
    name="sealed_inventory",
    kind=bool,
    default=False,
    description="Host names and addresses are sealed in the database; then they are found by their whole text alone",
    read_by=("gateway", "flow_orchestrator", "field_mapping", "agent_runner"),
    levels=("client", "engagement"),
)
LOG_LEVEL: Key[str | None] = Key(
    name="log_level",
    kind=Literal["debug", "info", "warning", "error"] | None,
    default=None,
    description="Least level logged by all services; null: what MODERNIZE_LOG_LEVEL says",
    read_by=("gateway", "flow_orchestrator", "field_mapping", "agent_runner", "audit"),
    levels=("platform",),
    scope="platform:write",
)

_ALL: tuple[Key[Any], ...] = (
    *(SEPARATION_OF_DUTIES, TENANT_REQUESTS_PER_MINUTE, TENANT_REQUEST_BURST),
    *(CALLER_REQUESTS_PER_MINUTE, CALLER_REQUEST_BURST, UPLOAD_BYTES_PER_DAY),
    *(READINESS_GATE, READINESS_THRESHOLDS, AGENT_TASK_RETENTION_DAYS),
    *(ROWS_PER_IMPORT, FLOWS_PER_DAY, CORS_ORIGINS, WEBHOOKS_ENABLED),
    *(SEALED_INVENTORY, LOG_LEVEL),
    *MODEL_KEYS,
    *MCP_KEYS,
)
KEYS: Mapping[str, Key[Any]] = {key.name: key for key in _ALL}


class ConfigurationChanged(Event, type="configuration.changed"):
    """A value was set or unset, for the tenant of this event: an engagement, a client account, or the platform."""

    key: str
    version: int = Field(description="Grows by one with every change of this key at this level")
    is_set: bool = Field(description="Whether there is a value now; else the next level's counts")
    value: Any = Field(default=None, description="The new value; absent for a secret")
    sealed: str | None = Field(default=None, description="A secret's new value, sealed; base64")
    changed_by: str
    reason: str
