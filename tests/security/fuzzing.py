"""Schemathesis over the whole OpenAPI document of a platform that runs, as one tenant beside another.

    python -m tests.security.fuzzing [--seconds 900] [--seed N]

It uses all phases (examples, coverage, fuzzing, stateful), and every id that either tenant has. What must never be
seen: a status of 500 or more, a status or body that the document does not have, an answer without a credential, a byte
of the other tenant.
"""

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.bench.platform_process import platform_process
from tests.security.two_tenants import Owner, two_tenants

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "use_after_free",
    "ignored_auth",
    "nothing_foreign",
)
# They let everything wait or end for the tenant that sends the requests, and are tried in tests of their own.
LEFT_OUT = ("/auth/", "/me")
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Found:
    """What a run found; `cases` counts the requests that were judged."""

    status: int
    report: str


def fuzz(url: str, owner: Owner, other: Owner, seconds: int, seed: int, folder: Path, *options: str) -> Found:
    """Send requests for so long as `owner`; the report says what was wrong and how to repeat it.

    `options` are schemathesis' own, for a choice of operations.
    """
    about = folder / "about.json"
    ids = {name: [*found, *other.ids.get(name, [])] for name, found in owner.ids.items()}
    foreign = [each for each in other.secrets() if each not in owner.secrets()]
    about.write_text(json.dumps({"ids": ids, "foreign": foreign}), encoding="utf-8")
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json"),
        *("--header", f"X-API-Key: {owner.key}", "--checks", ",".join(CHECKS)),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-time", str(seconds), "--seed", str(seed)),
        *("--suppress-health-check", "all", "--warnings", "off", "--workers", "2", "--continue-on-failure"),
        *("--exclude-path-regex", "|".join(LEFT_OUT), *options),
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.security.fuzz_hooks",
        "FUZZ_ABOUT": str(about),
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Found(done.returncode, f"{done.stdout}\n{done.stderr}")


async def run(seconds: int, seed: int) -> Found:
    """Start a platform, fill two tenants, and send requests as the first of them."""
    with tempfile.TemporaryDirectory(prefix="modernize-fuzz-") as name:
        folder = Path(name)
        async with platform_process("embedded", {"MODERNIZE_DATA_DIR": str(folder / "platform")}) as platform:
            owner, other = await two_tenants(platform.url, platform.api_key)
            return await asyncio.to_thread(fuzz, platform.url, owner, other, seconds, seed, folder)


def main() -> int:
    """Fuzz, print the report, and end with its status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=900, help="how long to send requests")
    parser.add_argument("--seed", type=int, default=None, help="draw the same requests as a run before")
    chosen = parser.parse_args()
    found = asyncio.run(run(chosen.seconds, chosen.seed if chosen.seed is not None else secrets.randbits(64)))
    sys.stdout.write(found.report)
    return found.status


if __name__ == "__main__":
    sys.exit(main())
