"""Examples of the REST models about key rotation, for the OpenAPI document."""

from datetime import UTC, datetime

from pydantic import BaseModel

from contracts.encryption import StillNeeded
from contracts.rest_encryption import (
    EncryptionView,
    InventorySealingProgress,
    InventorySealingView,
    RotationBody,
    ServiceProgress,
)

_GATEWAY = ServiceProgress(
    service="gateway",
    version=2,
    sealed=1204,
    left=204,
    needed=[StillNeeded(version=1, what="API keys that were not used since", count=3)],
    told_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
)
_SEALING = InventorySealingProgress(
    service="gateway", sealed=True, rows=9120, left=4000, told_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
)

ENCRYPTION_EXAMPLES: tuple[BaseModel, ...] = (
    RotationBody(from_version=1),
    _GATEWAY,
    EncryptionView(version=2, versions=[1, 2], done=False, removable=[], services=[_GATEWAY]),
    _SEALING,
    InventorySealingView(sealed=True, done=False, services=[_SEALING]),
)
