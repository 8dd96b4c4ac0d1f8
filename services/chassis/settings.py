"""Every setting of the platform: environment (`MODERNIZE_…`) over `.env` over the defaults here."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.outbound_rules import parse_allowed

LOCAL_PASSWORD = "modernize"  # pragma: allowlist secret
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Settings(BaseSettings):
    """What an operator can set; frozen once read. An empty variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="MODERNIZE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data_dir: Path = Field(default=Path(".modernize"), description="Folder of the embedded database and local blobs")

    database_url: str | None = Field(
        default=None,
        description="postgresql://host:port/database without a user: each service logs in with a role of its own. "
        "Unset: an embedded Postgres under data_dir",
    )
    database_password: SecretStr = Field(
        default=SecretStr(LOCAL_PASSWORD),
        description="Password of the services' database roles; the default is refused for a database on another host",
    )
    admin_database_url: str | None = Field(
        default=None,
        description="postgresql://user:password@host:port/database that may create roles and schemas; "
        "only the migration job needs it",
    )
    rabbitmq_url: str | None = Field(
        default=None, description="amqp://user:password@host:port/vhost. Unset: the in-process bus"
    )
    bus_prefix: str = Field(
        default="", description="Put before the name of every queue and exchange, for tests on a shared broker"
    )
    redis_url: str | None = Field(
        default=None, description="redis://host:port/db of the shared cache. Unset: a cache in each process's memory"
    )
    blob_url: str | None = Field(
        default=None,
        description="Where big data lies: file:///folder, s3://bucket, gs://bucket or az://account/container. "
        "Unset: the folder blobs under data_dir",
    )
    encryption_keys: SecretStr | None = Field(
        default=None,
        description="Root keys that secrets are sealed under: VERSION:BASE64 of 32 bytes, several separated by commas, "
        "the one to seal with last. Unset: files that only their owner reads, in the folder encryption_keys under "
        "data_dir, which all services must then share",
    )
    kms_key: str | None = Field(
        default=None,
        description="ARN, id or alias of an AWS KMS key that wraps the root keys; the wrapped ones lie in the blob "
        "store. Credentials and region are what the AWS SDK finds. Takes the extra kms",
    )
    otlp_endpoint: str | None = Field(
        default=None,
        description="Where spans go, as OTLP over HTTP: http://host:4318. Unset: trace ids exist, nothing is sent",
    )

    api_key: SecretStr | None = Field(
        default=None,
        description="The bootstrap key, a platform admin's. Unset: one that is made once and kept in data_dir/api_key",
    )
    host: str = Field(default="127.0.0.1", description="Address that the gateway listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that the gateway listens on; 0 takes a free one")
    allowed_hosts: str = Field(
        default="",
        description="Names by which the gateway may be called, such as `api.example.com`, without ports. Unset: any, "
        "but only this machine's own where it listens on loopback",
    )
    upload_limit_bytes: int = Field(default=2 * 1024**3, gt=0, description="Largest upload accepted, in bytes")

    outbound_allowed: str = Field(
        default="",
        description="What URLs of tenants (webhooks, imports, issuers, models) may reach beside port 443 of the "
        "internet: hosts and networks such as `llm.example.internal:8443 10.2.0.0/16 http://127.0.0.1:*`; http:// "
        "also allows no TLS",
    )

    mcp_commands: dict[str, list[str]] = Field(
        default={},
        description='Programs that tenants may name as their MCP servers, as JSON: {"files": ["/opt/mcp/files"]}. '
        "They run beside the agent runner, with its rights and none of its variables",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: coloured lines on a terminal, JSON lines elsewhere"
    )

    lease_seconds: float = Field(
        default=20, gt=0, description="How long a worker may be silent before its work is given to another"
    )
    work_concurrency: int = Field(
        default=2, ge=1, description="Pieces of long work that one process of a service does at a time"
    )
    tenant_work_limit: int = Field(
        default=16, ge=1, description="Pieces of long work that a service does at a time for one client account"
    )
    queued_flows_limit: int = Field(
        default=10_000, ge=1, description="Flows of an engagement that may wait to begin before more are refused (429)"
    )
    poll_seconds: float = Field(
        default=1, gt=0, description="How often outbox and work tables are looked at when nothing woke their reader"
    )
    history_retention_days: int = Field(
        default=365,
        ge=1,
        description="Days for which the history of a flow that has ended is kept; the audit keeps all",
    )

    @property
    def blob_store_url(self) -> str:
        """The blob store in use, the default folder included."""
        return self.blob_url or (self.data_dir.absolute() / "blobs").as_uri()

    @field_validator("outbound_allowed")
    @classmethod
    def _entries_are_readable(cls, value: str) -> str:
        parse_allowed(value)
        return value

    @model_validator(mode="after")
    def _database_is_safe_to_use(self) -> Self:
        if self.database_url is None:
            return self
        url = urlsplit(self.database_url)
        if url.scheme not in {"postgresql", "postgres"} or not url.path.strip("/"):
            raise ValueError("MODERNIZE_DATABASE_URL must look like postgresql://host:port/database.")
        if url.username or url.password:
            raise ValueError(
                "MODERNIZE_DATABASE_URL must not name a user: every service logs in with its own role. "
                "Set MODERNIZE_DATABASE_PASSWORD for these roles and MODERNIZE_ADMIN_DATABASE_URL for migrations."
            )
        local = url.hostname is None or url.hostname in LOOPBACK
        if not local and self.database_password.get_secret_value() == LOCAL_PASSWORD:
            raise ValueError(
                f"The database is on {url.hostname}, and its roles would have the default password that everybody "
                "knows. Set MODERNIZE_DATABASE_PASSWORD."
            )
        return self
