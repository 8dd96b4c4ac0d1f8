"""What the REST interface takes and gives about the keys that secrets are sealed under."""

from datetime import datetime

from pydantic import Field

from contracts.encryption import StillNeeded
from contracts.rest import View


class RotationBody(View):
    """Add a version of the root key."""

    from_version: int = Field(ge=1, description="The newest version that was seen: asked twice, one is added")


class ServiceProgress(View):
    """How far a service is with the newest version of the root key that it knows."""

    service: str
    version: int
    sealed: int = Field(description="Values that it keeps sealed, of all tenants")
    left: int = Field(description="Those that an older version still seals")
    needed: list[StillNeeded] = Field(description="What older versions are still needed for")
    told_at: datetime


class EncryptionView(View):
    """Which root keys there are, and what is sealed under them."""

    version: int = Field(description="The version that secrets are sealed with now")
    versions: list[int] = Field(description="All versions that can be opened")
    done: bool = Field(description="Whether every service has said that no older version seals a value of its")
    removable: list[int] = Field(description="Versions that nothing needs any more but backups of before")
    services: list[ServiceProgress] = Field(description="Those that told something since the first rotation")


class InventorySealingProgress(View):
    """How far a service is with sealing, or opening again, what it keeps of an engagement's inventory."""

    service: str
    sealed: bool = Field(description="Whether it seals; else it opens")
    rows: int = Field(description="Rows with host names or addresses")
    left: int = Field(description="Those that are not yet as they should be")
    told_at: datetime


class InventorySealingView(View):
    """Whether an engagement's host names and addresses are to be sealed, and how far that is."""

    sealed: bool = Field(description="What `sealed_inventory` says for this engagement")
    done: bool = Field(description="Whether every service that told something is as it should be")
    services: list[InventorySealingProgress] = Field(
        description="Those that have followed the setting since it was set"
    )
