"""Values of a sealed inventory that travel in an event, sealed for the asset that they are of."""

import base64
from collections.abc import Sequence
from uuid import UUID

from pydantic import TypeAdapter

from contracts.assets import AssetOriginCompleted, FieldOrigin
from contracts.envelope import Tenant
from services.chassis.encryption import Vault

_PURPOSE = AssetOriginCompleted.type_name
_FIELDS = TypeAdapter(list[FieldOrigin])


def sealed_origin(vault: Vault, tenant: Tenant, asset_uid: UUID, fields: Sequence[FieldOrigin]) -> str:
    """The origin of an asset's values as an event carries it, readable for this asset of this tenant alone."""
    return base64.b64encode(vault.seal(tenant, _PURPOSE, asset_uid, _FIELDS.dump_json(list(fields)))).decode()


def opened_origin(vault: Vault, event: AssetOriginCompleted) -> Sequence[FieldOrigin]:
    """The origin that an event tells; raises `CannotOpen` for one that was sealed for another asset."""
    if event.sealed is None:
        return event.fields
    opened = vault.open(event.tenant, _PURPOSE, event.asset_uid, base64.b64decode(event.sealed))
    return _FIELDS.validate_json(opened)
