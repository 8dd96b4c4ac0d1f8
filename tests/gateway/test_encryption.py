"""Rotating the platform's root key over REST."""

from typing import Any

import pytest
from sqlalchemy import select

from contracts.encryption import BLOBS, KEEPERS, EncryptionKeyAdded, EncryptionProgressed
from contracts.envelope import PLATFORM
from services.chassis.encryption import sealed_version
from services.chassis.encryption_keys import EnvironmentKeys
from services.gateway.blob_keys import wrap_data_keys
from services.gateway.handlers import service
from services.gateway.idempotency_tables import KeptAnswer
from tests.conftest import declared_services
from tests.gateway.platform import Platform

ONE = "1:" + "QUFB" * 10 + "QUE="


async def test_a_rotation_adds_one_version_however_often_it_is_asked_for_and_is_told(platform: Platform) -> None:
    before = await platform.get("/encryption")
    assert (before["version"], before["versions"], before["done"], before["services"]) == (1, [1], True, [])
    for _ in range(3):
        begun = await platform.post("/encryption/rotations", {"from_version": 1})
        assert begun.status_code == 202
        assert (begun.json()["version"], begun.json()["versions"]) == (2, [1, 2])
    event = await platform.told(EncryptionKeyAdded.type_name)
    assert (event["data"], event["clientaccountid"]) == (
        {"version": 2, "added_by": event["data"]["added_by"]},
        str(PLATFORM.client_account_id),
    )


async def test_secrets_are_sealed_anew_in_the_background_and_the_status_tells_when_it_is_done(
    platform: Platform,
) -> None:
    tenant = await platform.new_tenant()
    table = service.metadata.configuration
    sealed = platform.runtime.vault.seal(tenant, "configuration.value", "a_secret", b"x")
    async with platform.runtime.database.transaction(tenant) as session:
        await session.execute(table.insert().values(key="a_secret", version=1, is_set=True, sealed=sealed))
    assert not (await platform.post("/encryption/rotations", {"from_version": 1})).json()["done"]
    await platform.runtime.resealing.look()

    await platform.settled()
    progress = services(await platform.get("/encryption"))["gateway"]
    assert (progress["version"], progress["left"], progress["needed"]) == (2, 0, [])
    assert progress["sealed"] >= 1
    async with platform.runtime.database.transaction(tenant) as session:
        anew = (await session.execute(select(table.c.sealed))).scalar_one()
    assert anew != sealed
    assert platform.runtime.vault.open(tenant, "configuration.value", "a_secret", anew) == b"x"
    for name in (*KEEPERS, BLOBS):
        view = await platform.get("/encryption")
        assert (view["done"], view["removable"]) == (False, [])
        assert not (await platform.get("/encryption"))["done"]
        if name != "gateway":
            told = EncryptionProgressed(tenant=PLATFORM, service=name, version=2, sealed=0, left=0)
            await platform.hear(told)
    view = await platform.get("/encryption")
    assert (view["done"], view["removable"]) == (True, [1])


def services(view: Any) -> dict[str, Any]:
    """What each service told, by its name."""
    return {each["service"]: each for each in view["services"]}


async def test_a_key_that_was_not_used_since_needs_the_version_that_it_was_made_under(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    made = await platform.post("/keys", {"name": "old", "role": "analyst"}, tenant)
    assert made.status_code == 201, made.text
    await platform.post("/encryption/rotations", {"from_version": 1})
    await platform.runtime.resealing.look()
    await platform.settled()
    (need,) = services(await platform.get("/encryption"))["gateway"]["needed"]
    assert (need["version"], need["what"], need["count"]) == (1, "API keys that were not used since", 1)


async def test_kept_answers_are_sealed_anew_and_still_given_again(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    headers = {**platform.of(tenant), "idempotency-key": "once"}
    body = {"name": "a key", "role": "analyst"}
    first = await platform.client.post("/api/v1/keys", json=body, headers=headers)
    await platform.post("/encryption/rotations", {"from_version": 1})
    await platform.runtime.resealing.look()
    async with platform.runtime.database.transaction(tenant) as session:
        (answer,) = (await session.scalars(select(KeptAnswer.answer))).all()
    assert sealed_version(answer) == 2
    again = await platform.client.post("/api/v1/keys", json=body, headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json())


async def test_the_blobs_data_keys_are_wrapped_anew_and_that_is_told(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    await platform.upload(tenant=tenant)
    await platform.post("/encryption/rotations", {"from_version": 1})
    await wrap_data_keys(platform.runtime)
    await platform.settled()
    blobs = services(await platform.get("/encryption"))[BLOBS]
    assert (blobs["version"], blobs["sealed"], blobs["left"], blobs["needed"]) == (2, 1, 0, [])


def test_every_service_has_to_say_that_it_is_done() -> None:
    assert set(KEEPERS) == {each.name for each in declared_services()}


async def test_progress_that_comes_late_does_not_undo_what_was_told_since(platform: Platform) -> None:
    first, second = (
        EncryptionProgressed(tenant=PLATFORM, service="audit", version=2, sealed=9, left=left) for left in (5, 0)
    )
    await platform.hear(second, first)
    (progress,) = (await platform.get("/encryption"))["services"]
    assert progress["left"] == 0


@pytest.mark.parametrize("from_version", [0, -1, "x"])
async def test_a_version_that_nobody_can_have_seen_is_refused(platform: Platform, from_version: object) -> None:
    assert (await platform.post("/encryption/rotations", {"from_version": from_version})).status_code == 422


async def test_keys_of_the_environment_are_added_by_the_operator_alone(platform: Platform) -> None:
    platform.runtime.vault.provider = EnvironmentKeys(ONE)
    refused = await platform.post("/encryption/rotations", {"from_version": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "keys_are_the_operators")
    await platform.settled()
    assert EncryptionKeyAdded.type_name not in platform.heard.types()
