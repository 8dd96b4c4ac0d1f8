from tests.conftest import TransportOf
from tests.chassis.probe import probe
from services.chassis.settings import Settings
from services.chassis.testing import running

async def test_smoke(bus_settings: Settings, transport_of: TransportOf) -> None:
    async with running([probe()], bus_settings, transport_of) as r:
        await r["probe"].ready()
