"""The client for URLs of tenants gives up on what is too slow, too large, or no answer at all."""

import asyncio
import gzip
from collections.abc import Callable

import pytest

from services.chassis.outbound import Limits, Outbound, OutboundFailed
from services.chassis.outbound_rules import Address
from tests.chassis.outbound_client import outbound
from tests.far_server import answer, far_server

QUICK = Limits(total_seconds=20, idle_seconds=0.3, max_bytes=10_000)


async def _silent(request: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def _drip(request: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _dripping_head(request: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-A: b\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _early_hints(request: str, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def test_a_server_that_says_nothing_is_given_up_on() -> None:
    async with far_server(_silent) as far, outbound() as out:
        with pytest.raises(OutboundFailed) as failed:
            await out.send("GET", far.url, limits=QUICK)
    assert failed.value.problem.code == "answer_too_slow"


@pytest.mark.parametrize("trickle", [_drip, _dripping_head, _early_hints])
async def test_a_server_that_never_quite_stops_is_given_up_on(trickle: Callable[..., None]) -> None:
    limits = Limits(total_seconds=0.5, idle_seconds=10, max_bytes=10**6)
    async with far_server(trickle) as far, outbound() as out:  # type: ignore[arg-type]
        with pytest.raises(OutboundFailed) as failed:
            await out.send("GET", far.url, limits=limits)
    assert failed.value.problem.code == "answer_too_slow"


async def test_a_resolver_that_hangs_is_given_up_on() -> None:
    async def hang(host: str, port: int) -> list[Address]:
        await asyncio.sleep(30)
        return []

    async with outbound(resolve=hang) as out:
        with pytest.raises(OutboundFailed):
            await out.send("GET", "https://slow.example/", limits=Limits(total_seconds=0.2))


async def test_a_reader_s_own_time_out_stays_its_own() -> None:
    async with far_server(answer(body=b"x")) as far, outbound() as out:
        with pytest.raises(TimeoutError, match="mine"):
            async with out.stream("GET", far.url):
                raise TimeoutError("mine")


@pytest.mark.parametrize(
    "large",
    [
        answer(body=b"x" * 10_001),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2800\r\n" + b"x" * 10_240,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 20_000,
        answer(body=gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip"),
    ],
    ids=["declared", "chunked", "until_the_end", "zip_bomb"],
)
async def test_an_answer_that_is_too_large_is_not_read_to_its_end(large: bytes) -> None:
    async with far_server(large) as far, outbound() as out:
        with pytest.raises(OutboundFailed) as failed:
            await out.send("GET", far.url, limits=QUICK)
    assert failed.value.problem.code == "answer_too_large"


async def test_a_bomb_is_unpacked_in_small_pieces_and_only_up_to_the_limit() -> None:
    bomb = answer(body=gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")
    sizes: list[int] = []

    async def read(out: Outbound, url: str) -> None:
        nonlocal sizes
        async with out.stream("GET", url, limits=Limits(max_bytes=3 * 1024**2)) as stream:
            async for chunk in stream.chunks():
                sizes += [len(chunk)]

    async with far_server(bomb) as far, outbound() as out:
        with pytest.raises(OutboundFailed):
            await read(out, far.url)
    assert sizes == [1024**2] * 3


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "compress"])
async def test_layers_of_packing_are_refused(encoding: str) -> None:
    twice = answer(body=gzip.compress(gzip.compress(b"x")), Content_Encoding=encoding)
    async with far_server(twice) as far, outbound() as out:
        with pytest.raises(OutboundFailed, match="gzip or deflate"):
            await out.send("GET", far.url)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"+PONG\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        answer(body=b"not gzip", Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
    ],
    ids=["ssh", "redis", "nothing", "endless_header", "not_gzip", "cut_off"],
)
async def test_what_is_no_answer_fails_without_a_word_of_it(nonsense: bytes) -> None:
    async with far_server(nonsense) as far, outbound() as out:
        with pytest.raises(OutboundFailed) as failed:
            await out.send("GET", far.url)
    assert "SSH" not in str(failed.value)
    assert str(far.port) not in str(failed.value)
