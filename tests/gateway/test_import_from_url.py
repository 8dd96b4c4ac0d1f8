"""Files that are fetched from a URL, through the one guard for such URLs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from services.chassis.settings import Settings
from services.gateway.routes import imports
from tests.far_server import answer, far_server
from tests.gateway.platform import Platform, a_platform

CSV = b"Name;OS\nweb01;Ubuntu 22.04\n"


@pytest.fixture
async def platform(settings: Settings) -> AsyncIterator[Platform]:
    """A gateway whose operator allows servers on loopback, and whose uploads are small."""
    changed = settings.model_copy(update={"outbound_allowed": "http://127.0.0.1:*", "upload_limit_bytes": 10_000})
    async with a_platform(changed) as platform:
        yield platform


async def fetch(platform: Platform, url: str, **body: Any) -> httpx2.Response:
    return await platform.post("/imports/url", {"url": url, **body})


async def test_a_file_is_fetched_and_imported_like_an_upload(platform: Platform) -> None:
    async with far_server(answer(body=CSV, Content_Type="text/csv")) as far:
        made = await fetch(platform, f"{far.url}/exports/all%20servers.csv?token=t0ken")
    assert made.status_code == 201, made.text
    assert (made.json()["file_name"], made.json()["size_bytes"]) == ("all servers.csv", len(CSV))
    told = await platform.told("import.uploaded")
    assert told["data"]["import_id"] == made.json()["import_id"]
    assert "t0ken" not in str(platform.heard.messages)
    listed = (await platform.get("/imports"))["items"]
    assert [each["file_name"] for each in listed] == ["all servers.csv"]


async def test_a_redirect_is_followed_and_gives_the_name(platform: Platform) -> None:
    async with far_server(answer(body=CSV)) as store:
        async with far_server(answer("302 Found", Location=f"{store.url}/a.csv")) as far:
            made = await fetch(platform, f"{far.url}/download")
        named = await fetch(platform, store.url, file_name="mine.csv")
        nameless = await fetch(platform, store.url)
    assert made.json()["file_name"] == "a.csv"
    assert named.json()["file_name"] == "mine.csv"
    assert nameless.json()["code"] == "no_file_name"


async def _drip(request: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"a;b\n")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (answer("404 Not Found", b"x"), "no_file"),
        (answer(body=b"x" * 10_001), "answer_too_large"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000, "answer_too_large"),
        (answer(), "empty_file"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na;b\n", "no_answer"),
        (answer("302 Found", Location="https://169.254.169.254/latest/meta-data/a.csv"), "address_not_allowed"),
        (_drip, "answer_too_slow"),
    ],
    ids=["missing", "large", "large_undeclared", "empty", "cut_off", "redirect_inside", "endless"],
)
async def test_what_cannot_be_fetched_says_why_and_leaves_nothing(
    platform: Platform, sent: Any, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "FETCH_SECONDS", 1.0)
    async with far_server(sent) as far:
        refused = await fetch(platform, f"{far.url}/a.csv")
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert (await platform.get("/imports"))["items"] == []


@pytest.mark.parametrize(
    "url", ["http://example.com/a.csv", "https://127.0.0.1:10/a.csv", "file:///etc/passwd", "https://10.0.0.1/a"]
)
async def test_what_may_not_be_called_is_refused(settings: Settings, url: str) -> None:
    async with a_platform(settings) as platform:
        refused = await fetch(platform, url)
    assert refused.status_code == 422
    assert refused.json()["code"] in {"url_not_allowed", "bad_url", "address_not_allowed"}
