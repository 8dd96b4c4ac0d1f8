"""Every service keeps what was configured, whatever the order in which it hears of it, and reads it within seconds."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import select

from contracts.configuration import FLOWS_PER_DAY, LOG_LEVEL, ConfigurationChanged
from contracts.envelope import PLATFORM, Envelope, Tenant
from services.chassis import configuration
from services.chassis.bus.in_process import InProcessBus
from services.chassis.logs import configure_logs
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, some_tenant
from tests.chassis.probe import emit, leave, listener, packed, probe, rows_of


def changed(tenant: Tenant, version: int, value: int | None, key: str = FLOWS_PER_DAY.name) -> ConfigurationChanged:
    return ConfigurationChanged(
        tenant=tenant, key=key, version=version, is_set=value is not None, value=value, changed_by="me", reason="a test"
    )


@pytest.fixture
async def two(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Runtime, Runtime]]:
    """A service that tells of changes, and one that hears of all that happens."""
    monkeypatch.setattr(configuration, "SECONDS", 0.05)
    bus, hears_all = InProcessBus(), listener()

    @hears_all.on
    async def keep(events: list[Envelope], session: object) -> None:
        for event in events:
            await leave(session, hears_all, event)  # type: ignore[arg-type]  # an envelope has an id, too

    async with AsyncExitStack() as stack:
        runtimes = [Runtime(service, settings, bus) for service in (probe(), hears_all)]
        for runtime in runtimes:
            stack.push_async_callback(runtime.stop)
        for runtime in runtimes:
            await runtime.listen()
        for runtime in runtimes:
            await runtime.start()
        yield runtimes[0], runtimes[1]


async def test_every_service_hears_of_a_change_also_one_that_hears_everything(two: tuple[Runtime, Runtime]) -> None:
    tenant = some_tenant()
    await emit(two[0], changed(tenant, 1, 5))
    for runtime in two:

        async def knows(runtime: Runtime = runtime) -> bool:
            return await runtime.configuration.value(tenant, FLOWS_PER_DAY) == 5

        await eventually(knows)
        assert await runtime.configuration.value(some_tenant(), FLOWS_PER_DAY) is None
    inbox = await rows_of(two[1].database, two[1].service.metadata.inbox)
    assert len(inbox) == 1


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2)])
async def test_a_late_change_does_not_undo_a_newer_one(two: tuple[Runtime, Runtime], order: Sequence[int]) -> None:
    tenant, service = some_tenant(), two[0].service
    values = {1: 5, 2: None, 3: 7}
    for version in order:
        async with two[0].database.transaction(tenant) as session:
            await configuration.keep_configuration(service.metadata, changed(tenant, version, values[version]), session)
    two[0].configuration.forget()
    assert await two[0].configuration.value(tenant, FLOWS_PER_DAY) == 7


async def test_what_was_unset_is_not_set_again_by_a_late_event(two: tuple[Runtime, Runtime]) -> None:
    tenant, metadata = some_tenant(), two[0].service.metadata
    for version, value in ((2, None), (1, 5)):
        async with two[0].database.transaction(tenant) as session:
            await configuration.keep_configuration(metadata, changed(tenant, version, value), session)
    assert await two[0].configuration.value(tenant, FLOWS_PER_DAY) is None
    async with two[0].database.transaction(some_tenant()) as session:
        assert (await session.execute(select(metadata.configuration))).all() == []


async def test_a_change_that_fits_no_schema_does_not_stop_a_service_that_hears_everything(
    two: tuple[Runtime, Runtime],
) -> None:
    hears_all = two[1]
    broken = changed(some_tenant(), 1, 5).to_cloudevent()
    broken["data"] = {"key": 5}
    (subscription,) = [each for each in hears_all.subscriptions() if each.queue.endswith(".all")]
    await subscription.deliver(packed(broken))
    assert len(await rows_of(hears_all.database, hears_all.service.metadata.inbox)) == 1


async def test_the_log_level_is_followed_and_given_back(settings: Settings) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    runtime = Runtime(Service(probe().metadata), settings, InProcessBus())
    try:
        configure_logs(settings)
        await runtime.start()
        for version, value, wanted in ((1, "debug", logging.DEBUG), (2, None, logging.INFO)):
            event = ConfigurationChanged(
                tenant=PLATFORM,
                key=LOG_LEVEL.name,
                version=version,
                is_set=value is not None,
                value=value,
                changed_by="me",
                reason="a test",
            )
            async with runtime.database.transaction(PLATFORM) as session:
                await configuration.keep_configuration(runtime.service.metadata, event, session)
            runtime.configuration.forget()

            async def follows(wanted: int = wanted) -> bool:
                return root.level == wanted

            async with asyncio.timeout(30):
                await eventually(follows, 20)
    finally:
        await runtime.stop()
        root.handlers[:], root.level = handlers, level
