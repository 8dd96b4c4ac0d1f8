"""`./justw bench import`: a file from upload to normalised assets in Postgres, against a plain COPY of the same rows.

Both run in turn on one embedded Postgres as the platform configures it (fsync and synchronous commit on). The import
goes through the whole platform: streamed to REST over a loopback socket, read, mapped, cleaned, merged and stored. It
ends when the orchestrator has `inventory.completed`, so the assets are committed and the event is delivered. COPY puts
the file into a table of text columns without row-level security, streamed by asyncpg over a socket of the same kind.

Files of 10,000, 100,000 and 1,000,000 rows are measured; figures without a suffix are of 100,000. `linear_1m_vs_10k` is
the time for a row of the largest file over that of the smallest: 1 or less means that the cost grows no faster than the
file. `platform_peak_resident_mb` is all five services in one process, beside it stands each service in a process of its
own; what the files before it took is in the peak of a larger one. Both last until nothing is left to do, so what the
read model and the dependencies take after the import is in them; `platform_until_assets_peak_resident_mb` is not.
"""

import asyncio
import csv
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx2

from deploy.bench.platform_process import PlatformProcess, platform_process
from deploy.bench.results import Result
from deploy.demo.generate import write_wide_csv
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.cli.private_nodes import PrivateRabbitMQ
from services.cli.service_list import SERVICE_NAMES

PEERS: list[str] = []  # The peer is Postgres itself, which the platform brings along.

COLUMNS = 30
SMALL, USUAL, LARGE = 10_000, 100_000, 1_000_000
# Rounds of each file, after one on the first file that does not count.
ROUNDS = {SMALL: 5, USUAL: 5, LARGE: 3}
SUFFIXES = {SMALL: "_10k", LARGE: "_1m"}
PIECE_BYTES = 1024**2
IMPORT_SECONDS = 1_800
LOOK_SECONDS = 0.1
# Each phase ends when the orchestrator hears this of it.
PHASES = {
    "upload_and_start": "discovery.requested",
    "data_import": "data_import.completed",
    "field_mapping": "field_mapping.completed",
    "inventory": "inventory.completed",
}
_STATUS = "select status from flow_orchestrator.crewai_flow_state_extensions where flow_id = $1"


@dataclass(frozen=True)
class Round:
    """One COPY and one import of the same file: seconds, those of the phases, peak MB until the assets are there."""

    copy_seconds: float
    import_seconds: float
    phases: dict[str, float]
    assets: int
    peaks: dict[str, float]


async def run() -> Result:
    """Measure all files, or one with as many rows as MODERNIZE_BENCH_ROWS says."""
    rows = os.environ.get("MODERNIZE_BENCH_ROWS")
    return await measure({int(rows): ROUNDS.get(int(rows), ROUNDS[USUAL])} if rows else ROUNDS)


async def measure(rounds: Mapping[int, int], per_service: bool = True) -> Result:
    """So many rounds for a file of each number of rows, and the memory of each service where RabbitMQ is installed."""
    with tempfile.TemporaryDirectory(prefix="modernize-bench-") as name:
        folder = Path(name)
        sources = {rows: folder / f"inventory_{rows}.csv" for rows in rounds}
        for rows, source in sources.items():
            await asyncio.to_thread(write_wide_csv, source, rows, COLUMNS)
        postgres = EmbeddedPostgres(folder / "data")
        address = await asyncio.to_thread(postgres.start)
        try:
            settings = {"MODERNIZE_DATA_DIR": str(folder / "platform"), "MODERNIZE_DATABASE_URL": address}
            measured, peaks = {}, {}
            async with platform_process("embedded", settings) as platform:
                await _round(platform, address, next(iter(sources.values())))
                for rows, source in sources.items():
                    measured[rows] = [await _told(rows, _round(platform, address, source)) for _ in range(rounds[rows])]
                    imported = {f"{name}_until_assets": peak for name, peak in measured[rows][0].peaks.items()}
                    peaks[rows] = platform.peak_resident_mb() | imported
            if per_service and PrivateRabbitMQ.server() is not None:
                for rows, found in (await _peaks_of_services(folder, settings, address, sources)).items():
                    peaks[rows] |= found
            results = [
                summary(rows, source.stat().st_size, measured[rows], peaks[rows]) for rows, source in sources.items()
            ]
            return Result(
                figures={name: value for result in results for name, value in result.figures.items()},
                ratios={name: value for result in results for name, value in result.ratios.items()} | growth(measured),
            )
        finally:
            await asyncio.to_thread(postgres.stop)


async def _told(rows: int, measured: Awaitable[Round]) -> Round:
    """The round, which is told at once: all of them together take minutes, and whoever stops them has something."""
    one = await measured
    told = f"{rows:,} rows: COPY {one.copy_seconds:.2f} s, import {one.import_seconds:.2f} s"
    print(f"{told}, {one.import_seconds / one.copy_seconds:.2f} x", file=sys.stderr)
    return one


async def _peaks_of_services(
    folder: Path, settings: dict[str, str], address: str, sources: Mapping[int, Path]
) -> dict[int, dict[str, float]]:
    """Peak memory of each service in a process of its own, after each file, on a RabbitMQ node of the benchmark's."""
    node = PrivateRabbitMQ(folder / "rabbitmq")
    broker = await asyncio.to_thread(node.start)
    peaks = {}
    try:
        async with platform_process("distributed", {**settings, "MODERNIZE_RABBITMQ_URL": broker}) as platform:
            for rows, source in sources.items():
                await _told(rows, _round(platform, address, source))
                peaks[rows] = platform.peak_resident_mb()
        return peaks
    finally:
        await asyncio.to_thread(node.stop)


def summary(rows: int, size_bytes: int, rounds: list[Round], peaks: dict[str, float]) -> Result:
    """Medians over the rounds; a ratio is taken within each round, so that a busy minute slows both of its sides."""
    seconds = median(one.import_seconds for one in rounds)
    ratios = [one.import_seconds / one.copy_seconds for one in rounds]
    figures = {
        "rows": rows,
        "columns": COLUMNS,
        "file_mb": size_bytes / 1024**2,
        "assets": rounds[-1].assets,
        "rounds": len(rounds),
        "copy_seconds": median(one.copy_seconds for one in rounds),
        "import_seconds": seconds,
        **{f"{phase}_seconds": median(one.phases[phase] for one in rounds) for phase in PHASES},
        "import_rows_per_second": rows / seconds,
        **{f"{name}_peak_resident_mb": peak for name, peak in peaks.items()},
    }
    end = SUFFIXES.get(rows, "")
    spread = {"best": min(ratios), "worst": max(ratios)}
    return Result(
        figures={f"{name}{end}": value for name, value in figures.items()},
        ratios={f"import_to_copy{end}": median(ratios)}
        | {f"import_to_copy{end}_{which}_round": ratio for which, ratio in spread.items() if len(rounds) > 1},
    )


def growth(measured: Mapping[int, list[Round]]) -> dict[str, float]:
    """How much longer a row of the largest file takes than one of a smaller file."""
    a_row = {rows: median(one.import_seconds for one in rounds) / rows for rows, rounds in measured.items()}
    names = {"linear_1m_vs_10k": SMALL, "linear_1m_vs_100k": USUAL}
    return {name: a_row[LARGE] / a_row[rows] for name, rows in names.items() if {LARGE, rows} <= a_row.keys()}


async def _round(platform: PlatformProcess, address: str, source: Path) -> Round:
    connection = await _connect(address)
    try:
        copy_seconds = await _copy(connection, source)
        return await _import(platform, connection, source, copy_seconds)
    finally:
        await connection.close()


async def _connect(address: str) -> Any:
    """A superuser's connection to the embedded server."""
    parts = urlsplit(address)
    return await asyncpg.connect(host=parse_qs(parts.query)["host"][0], user="postgres", database=parts.path[1:])


async def _copy(connection: Any, source: Path) -> float:
    """Seconds of a COPY into a new table, its commit included."""
    with source.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    columns = ", ".join(f'"column_{number}" text' for number in range(len(header)))
    await connection.execute(f"drop table if exists public.plain_copy; create table public.plain_copy ({columns})")
    start = time.perf_counter()
    await connection.copy_to_table("plain_copy", schema_name="public", source=source, format="csv", header=True)
    return time.perf_counter() - start


async def _import(platform: PlatformProcess, connection: Any, source: Path, copy_seconds: float) -> Round:
    """Import the file, from the first byte sent to `inventory.completed`, and wait until nothing is left to do."""
    async with httpx2.AsyncClient(
        base_url=f"{platform.url}/api/v1",
        headers={"X-API-Key": platform.api_key},
        timeout=IMPORT_SECONDS,
        trust_env=False,
    ) as client:
        # Every import has an engagement of its own, so that none finds the assets of another and updates them.
        engagement = await _post(client, "/engagements", {"client_name": "Bench", "engagement_name": "Import"})
        client.headers["X-Client-Account-Id"] = engagement["client_account_id"]
        client.headers["X-Engagement-Id"] = engagement["engagement_id"]
        began = time.time()
        response = await client.post("/imports", params={"file_name": source.name}, content=_pieces(source))
        upload = response.raise_for_status().json()
        flow = await _post(client, "/flows", {"import_ids": [upload["import_id"]], "then": []})
        async with asyncio.timeout(IMPORT_SECONDS):
            await _until_heard(connection, flow["flow_id"], "inventory.completed")
            peaks = platform.peak_resident_mb()
            await _until_done(connection, flow["flow_id"])
    times = await _heard(connection, flow["flow_id"])
    assets = await connection.fetchval(
        "select count(*) from field_mapping.assets where engagement_id = $1", engagement["engagement_id"]
    )
    ends = [began, *(times[event].timestamp() for event in PHASES.values())]
    phases = {phase: ends[number + 1] - ends[number] for number, phase in enumerate(PHASES)}
    return Round(copy_seconds, ends[-1] - began, phases, assets, peaks)


async def _post(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.post(path, json=body)).raise_for_status().json()
    return answer


async def _pieces(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


async def _until_heard(connection: Any, flow_id: str, event: str) -> None:
    """Wait until the orchestrator has heard an event of the flow."""
    while event not in await _heard(connection, flow_id):
        _refuse_ended(await connection.fetchval(_STATUS, flow_id))
        await asyncio.sleep(LOOK_SECONDS)


async def _until_done(connection: Any, flow_id: str) -> None:
    """Wait until the flow has ended and nothing is left to do for it, so that the next measurement has the machine."""
    left = " + ".join(
        f"(select count(*) from {service}.{table})" for service in SERVICE_NAMES for table in ("work", "outbox")
    )
    while True:
        found = await connection.fetchval(_STATUS, flow_id)
        _refuse_ended(found)
        if found == "completed" and not await connection.fetchval(f"select {left}"):
            return
        await asyncio.sleep(LOOK_SECONDS)


def _refuse_ended(status: str) -> None:
    if status in ("failed", "cancelled", "waiting"):
        raise RuntimeError(f"the import is {status} instead of done: this file needs no decision and has no errors")


async def _heard(connection: Any, flow_id: str) -> dict[str, datetime]:
    """When the orchestrator heard each event of the flow."""
    rows = await connection.fetch(
        "select event_type, at from flow_orchestrator.flow_journal where flow_id = $1", flow_id
    )
    return {row["event_type"]: row["at"] for row in rows}
