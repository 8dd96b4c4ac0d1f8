"""Uploads: streamed, bounded, and nothing left behind when they fail."""

import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.settings import Settings
from services.gateway.app import DEFAULT_TENANT
from tests.gateway.platform import Platform, a_platform

MIB = 1024**2


def blobs(settings: Settings) -> list[Path]:
    return [path for path in Path(settings.blob_store_url.removeprefix("file://")).rglob("*") if path.is_file()]


async def test_an_upload_is_stored_listed_and_told(platform: Platform, settings: Settings) -> None:
    made = await platform.upload(b"a,b\n1,2\n", name="in ventory.csv")
    assert made["size_bytes"] == 8
    assert (await platform.get("/imports"))["items"] == [made]
    assert [b"a,b" in path.read_bytes() for path in blobs(settings)] == [False]
    await platform.settled()
    (message,) = [each for each in platform.heard.messages if each["type"] != "signing_key.made"]
    assert message["type"] == "import.uploaded"
    assert message["data"]["import_id"] == made["import_id"]
    assert message["data"]["file"]["sha256"] == made["sha256"]


async def test_an_empty_file_is_refused_and_leaves_nothing(platform: Platform, settings: Settings) -> None:
    response = await platform.client.post("/api/v1/imports", params={"file_name": "e.csv"}, content=b"")
    assert (response.status_code, response.json()["code"]) == (422, "empty_file")
    assert response.json()["file_name"] == "e.csv"
    assert (await platform.get("/imports"))["items"] == []
    assert blobs(settings) == []


async def test_an_oversize_body_is_refused_and_leaves_nothing(settings: Settings) -> None:
    small = settings.model_copy(update={"upload_limit_bytes": 1_000})
    async with a_platform(small) as platform:
        response = await platform.client.post("/api/v1/imports", params={"file_name": "b"}, content=b"x" * 1_001)
        assert (response.status_code, response.json()["code"]) == (413, "upload_too_large")
        assert (await platform.get("/imports"))["items"] == []
        assert blobs(small) == []
        assert (await platform.upload(b"x" * 1_000))["size_bytes"] == 1_000


async def test_a_hundred_megabytes_pass_through_a_few(platform: Platform) -> None:
    async def body() -> AsyncIterator[bytes]:
        for number in range(100):
            yield bytes([number]) * MIB

    tracemalloc.start()
    try:
        response = await platform.client.post("/api/v1/imports", params={"file_name": "big.csv"}, content=body())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert response.json()["size_bytes"] == 100 * MIB
    assert peak < 40 * MIB


@pytest.mark.parametrize("name", ["", "x" * 256, None])
async def test_a_file_needs_a_name(platform: Platform, name: str | None) -> None:
    params = {} if name is None else {"file_name": name}
    response = await platform.client.post("/api/v1/imports", params=params, content=b"a")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_an_engagement_can_be_added_to_a_client(platform: Platform) -> None:
    first = await platform.new_tenant()
    body = {"client_name": "F", "engagement_name": "Second", "client_account_id": str(first.client_account_id)}
    second = (await platform.client.post("/api/v1/engagements", json=body)).json()
    assert second["client_account_id"] == str(first.client_account_id)
    assert second["engagement_id"] != str(first.engagement_id)


async def test_the_default_engagement_is_there_from_the_start(platform: Platform) -> None:
    shown = await platform.get("/engagements/current")
    assert shown["engagement_id"] == str(DEFAULT_TENANT.engagement_id)
