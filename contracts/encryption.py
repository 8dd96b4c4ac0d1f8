"""The keys that secrets are sealed under: a new version, and how far each service is with sealing under it."""

from pydantic import Field

from contracts.discovery import Value
from contracts.envelope import Event

# Those that keep secrets: a rotation is done when each has said so.
KEEPERS = ("gateway", "flow_orchestrator", "agent_runner", "field_mapping", "audit")


# What the gateway tells of the blob store, which all services share, as of a service.
BLOBS = "blobs"


class StillNeeded(Value):
    """Something that an older version of the root key is still needed for."""

    version: int
    what: str = Field(description="In words: rows of a table, blobs, API keys that were not used since")
    count: int


class EncryptionKeyAdded(Event, type="encryption_key.added"):
    """An operator added a version of the root key; services seal with it, and seal anew what older versions sealed."""

    version: int
    added_by: str


class EncryptionProgressed(Event, type="encryption.progressed"):
    """How far a service is with sealing its secrets under the newest version; a statement of the whole platform."""

    service: str
    version: int = Field(description="The newest version that it knows")
    sealed: int = Field(description="Values that it keeps sealed, of all tenants")
    left: int = Field(description="Those that an older version still seals")
    needed: list[StillNeeded] = Field(default=[], description="What older versions are still needed for")
