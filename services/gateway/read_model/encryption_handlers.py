"""The read model about key rotation and sealed inventories."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.encryption import EncryptionProgressed
from contracts.inventory_sealing import InventorySealingProgressed
from services.gateway.handlers import service
from services.gateway.read_model.encryption_tables import EncryptionProgress, InventorySealing


@service.on
async def show_progress(event: EncryptionProgressed, session: AsyncSession) -> None:
    """Keep what a service told last; what comes late does not undo it."""
    row = {
        "service": event.service,
        "version": event.version,
        "sealed": event.sealed,
        "left": event.left,
        "needed": [each.model_dump() for each in event.needed],
        "told_at": event.time,
    }
    statement = insert(EncryptionProgress).values(row)
    newer = EncryptionProgress.told_at < statement.excluded.told_at
    key = ["client_account_id", "engagement_id", "service"]
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=row, where=newer))


@service.on
async def show_sealing(event: InventorySealingProgressed, session: AsyncSession) -> None:
    """Keep what a service told last of an engagement's inventory; what comes late does not undo it."""
    row = {**event.model_dump(include={"service", "version", "sealed", "rows", "left"}), "told_at": event.time}
    statement = insert(InventorySealing).values(row)
    newer = InventorySealing.told_at < statement.excluded.told_at
    key = ["client_account_id", "engagement_id", "service"]
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=row, where=newer))
