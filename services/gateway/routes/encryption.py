"""The root keys of the platform, a new one among them, and inventories whose host names are sealed."""

import asyncio

from fastapi import APIRouter
from sqlalchemy import select

from contracts.encryption import BLOBS, KEEPERS, EncryptionKeyAdded
from contracts.envelope import PLATFORM
from contracts.rest_encryption import (
    EncryptionView,
    InventorySealingProgress,
    InventorySealingView,
    RotationBody,
    ServiceProgress,
)
from services.chassis.inventory_sealing import is_sealed
from services.chassis.runtime import Runtime
from services.gateway.handlers import service
from services.gateway.principal import Caller, Operator
from services.gateway.read_model.encryption_tables import EncryptionProgress, InventorySealing
from services.gateway.routes.access import Gateway, Reading, emit

router = APIRouter(tags=["operations"])


@router.get("/encryption")
async def show_encryption(operator: Operator, gateway: Gateway) -> EncryptionView:
    """Which root keys there are, and how far services are with sealing their secrets under the newest."""
    return await _view(gateway)


@router.post("/encryption/rotations", status_code=202)
async def rotate_encryption(body: RotationBody, operator: Operator, gateway: Gateway) -> EncryptionView:
    """Add a version of the root key, and let every service seal its secrets anew while it works.

    Asked again from the same version, it adds none. A conflict where only an operator can add keys.
    """
    version = await asyncio.to_thread(gateway.vault.add, body.from_version)
    if version == body.from_version + 1:
        async with gateway.database.transaction(PLATFORM) as session:
            await emit(session, EncryptionKeyAdded(tenant=PLATFORM, version=version, added_by=operator.name))
        gateway.committed()
    return await _view(gateway)


@router.get("/inventory-sealing")
async def show_inventory_sealing(session: Reading, caller: Caller) -> InventorySealingView:
    """Whether this engagement's host names and addresses are sealed in the database, and how far services are.

    PUT /configuration/sealed_inventory switches it; what is stored follows in the background.
    """
    wanted = await is_sealed(session, service.metadata, caller.tenant)
    rows = (await session.scalars(select(InventorySealing).order_by(InventorySealing.service))).all()
    services = [InventorySealingProgress.model_validate(row) for row in rows]
    followed = all(each.sealed == wanted and each.left == 0 for each in services)
    # Who never asked for it has nothing to wait for; who did, waits for a first answer at least.
    return InventorySealingView(sealed=wanted, done=followed and bool(services or not wanted), services=services)


async def _view(gateway: Runtime) -> EncryptionView:
    await asyncio.to_thread(gateway.vault.load)
    version, versions = gateway.vault.version, gateway.vault.versions()
    async with gateway.database.transaction(PLATFORM) as session:
        rows = (await session.scalars(select(EncryptionProgress).order_by(EncryptionProgress.service))).all()
    services = [ServiceProgress.model_validate(row) for row in rows]
    finished = {each.service for each in services if each.version == version and each.left == 0}
    done = len(versions) == 1 or finished.issuperset({*KEEPERS, BLOBS})
    needed = {need.version for each in services for need in each.needed}
    removable = [each for each in versions if each != version and each not in needed] if done else []
    return EncryptionView(version=version, versions=list(versions), done=done, removable=removable, services=services)
