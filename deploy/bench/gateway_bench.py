"""`./justw bench gateway`: what authentication, tenancy and rate limits cost a request, against a bare route.

Ours is `GET /api/v1/flows/{flow_id}` of the platform as `modernize up` runs it. Bare is a FastAPI route with nothing
around it that sends the same single query to the same Postgres and answers with the same model, in a process of its
own on the same server software. Both are asked in turns by the same client, over 50 connections that stay open; each
request waits for the answer to the one before on its connection. A ratio is taken within each round.
"""

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit
from uuid import UUID

import httpx2

from deploy.bench import audit_bench
from deploy.bench.platform_process import ROOT, platform_process
from deploy.bench.results import Result
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.chassis.testing import eventually

PEERS: list[str] = []  # The peer is FastAPI, which the platform brings along.

CONNECTIONS = 50
ROUND_SECONDS = 4.0
ROUNDS = 5
SETTLE_SECONDS = 120
FILE = b"hostname,os,cpu,memory_gb\nweb01,Ubuntu 22.04,4,16\ndb01,Windows Server 2019,8,64\n"


@dataclass(frozen=True)
class Load:
    """What one target answered within a round; latencies in seconds."""

    seconds: float
    latencies: list[float]

    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """The latency, in seconds, that this share of the requests did not exceed."""
        return sorted(self.latencies)[math.ceil(share * len(self.latencies)) - 1]


async def run() -> Result:
    """Measure both in turns, and then how fast what they did would be written to the audit log, and checked there."""
    gateway, audit = await measure(ROUNDS, ROUND_SECONDS), await audit_bench.run()
    # Asked for as ratios beside the others: entries a second.
    rates = {name: audit.figures[name] for name in ("audit_append_per_s", "audit_verify_per_s")}
    return Result(gateway.figures | audit.figures, gateway.ratios | rates)


async def measure(rounds: int, seconds: float) -> Result:
    """So many rounds of so many seconds for each side, after one that does not count."""
    with tempfile.TemporaryDirectory(prefix="modernize-bench-") as name:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "data")
        address = await asyncio.to_thread(postgres.start)
        try:
            settings = {"MODERNIZE_DATA_DIR": str(folder / "platform"), "MODERNIZE_DATABASE_URL": address}
            async with platform_process("embedded", settings) as platform:
                headers = {"X-API-Key": platform.api_key}
                await _without_refusals(platform.url, headers)
                flow_id = await _a_flow(platform.url, headers)
                async with _bare(address) as bare_url:
                    ours = f"{platform.url}/api/v1/flows/{flow_id}"
                    bare = f"{bare_url}/flows/{flow_id}"
                    await _same_answer(ours, bare, headers)
                    await load(bare, {}, seconds / 4)
                    await load(ours, headers, seconds / 4)
                    pairs = [(await load(bare, {}, seconds), await load(ours, headers, seconds)) for _ in range(rounds)]
        finally:
            await asyncio.to_thread(postgres.stop)
    return summary(pairs)


def summary(pairs: list[tuple[Load, Load]]) -> Result:
    """Medians over the rounds; each pair is the bare route's round and ours."""
    figures: dict[str, float] = {"connections": CONNECTIONS, "rounds": len(pairs)}
    for side, name in enumerate(("bare", "ours")):
        loads = [pair[side] for pair in pairs]
        figures[f"{name}_requests_per_s"] = median(one.per_second() for one in loads)
        figures[f"{name}_p50_ms"] = median(1000 * one.quantile(0.5) for one in loads)
        figures[f"{name}_p99_ms"] = median(1000 * one.quantile(0.99) for one in loads)
    ratios = {
        "rps_vs_bare": median(ours.per_second() / bare.per_second() for bare, ours in pairs),
        "p99_vs_bare": median(ours.quantile(0.99) / bare.quantile(0.99) for bare, ours in pairs),
    }
    return Result(figures, ratios)


async def load(url: str, headers: dict[str, str], seconds: float, connections: int = CONNECTIONS) -> Load:
    """Ask for `url` over so many connections for so long; raises `RuntimeError` for any answer but 200."""
    parts = urlsplit(url)
    lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{name}: {headers[name]}" for name in headers)]
    request = "\r\n".join([*lines, "", ""]).encode("ascii")
    latencies: list[float] = []
    began = time.perf_counter()
    end = began + seconds

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (asked := time.perf_counter()) < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"{url} answered {head.decode('latin-1').splitlines()[0]}")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            latencies.append(time.perf_counter() - asked)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return Load(time.perf_counter() - began, latencies)


async def _without_refusals(url: str, headers: dict[str, str]) -> None:
    """Raise the limits beyond what can be sent: requests are counted, and none is refused."""
    limits = [f"{whose}_{what}" for whose in ("caller", "tenant") for what in ("request_burst", "requests_per_minute")]
    platform = {"X-Client-Account-Id": str(UUID(int=0)), "X-Engagement-Id": str(UUID(int=0))}
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", headers=headers | platform, trust_env=False) as client:
        for key in limits:
            body = {"value": 10**9, "reason": "a benchmark"}
            (await client.put(f"/configuration/{key}", json=body)).raise_for_status()


async def _a_flow(url: str, headers: dict[str, str]) -> str:
    """The id of a flow that has come to rest: it ended, or it waits for a person."""
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", headers=headers, trust_env=False, timeout=60) as client:
        made = (await client.post("/imports", params={"file_name": "servers.csv"}, content=FILE)).raise_for_status()
        started = await client.post("/flows", json={"import_ids": [made.json()["import_id"]]})
        flow_id = str(started.raise_for_status().json()["flow_id"])

        async def at_rest() -> bool:
            shown = (await client.get(f"/flows/{flow_id}")).raise_for_status().json()
            return shown["status"] in ("waiting", "completed", "failed")

        await eventually(at_rest, SETTLE_SECONDS)
    return flow_id


async def _same_answer(ours: str, bare: str, headers: dict[str, str]) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        answers = [
            (await client.get(url, headers=sent)).raise_for_status().json()
            for url, sent in ((ours, headers), (bare, {}))
        ]
    if answers[0] != answers[1]:
        raise RuntimeError(f"the bare route answers differently, so the two cannot be compared: {answers}")


@asynccontextmanager
async def _bare(address: str) -> AsyncIterator[str]:
    """The bare route's address, while its process runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.bench.bare_route", address), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readuntil(b"\n")).decode().strip()
    finally:
        process.terminate()
        await process.wait()
