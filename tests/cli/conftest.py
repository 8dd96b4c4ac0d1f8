"""A platform that really runs, as a child process, and the `modernize` command against it."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from services.cli import terminal
from services.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
# What tenants may name beside the internet: where nobody listens, and whatever a test serves without TLS.
ALLOWED = "127.0.0.1:9 http://127.0.0.1:*"
INVENTORY = """Server Name;Environment;Operating System;IP;CPU Cores;RAM (GB);Disk (GB);Application;Tier;Criticality
alpha01;Production;Windows Server 2019;10.0.0.1;4;16;100;Payroll;Gold;High
alpha02;Production;Windows Server 2019;10.0.0.2;4;16;100;Payroll;Gold;High
beta01;Test;Red Hat Enterprise Linux 8;10.0.0.3;2;8;50;Ledger;Silver;Medium
beta02;Production;Red Hat Enterprise Linux 8;10.0.0.4;8;32;500;Ledger;Gold;High
gamma01;Development;Ubuntu 22.04;10.0.0.5;2;4;40;Wiki;Bronze;Low
"""


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a child: this one, the project on the path, and these settings."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "MODERNIZE_DATA_DIR": str(folder), "COLUMNS": "120", **settings}


def modernize(arguments: Sequence[str | Path], folder: Path, **settings: str) -> Result:
    """Run a command in this process, which has loaded already what commands load."""
    given = {"MODERNIZE_DATA_DIR": str(folder), **settings}
    # The console took its width when it was made, from whatever environment the tests were started in.
    terminal.out.width = 120
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=given)


@contextmanager
def started(arguments: Sequence[str | Path], folder: Path, **settings: str) -> "Iterator[subprocess.Popen[str]]":
    """A command that runs until the block ends, when it is asked to stop."""
    log = (folder / "stderr.txt").open("a")
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", *map(str, arguments)],
        env=environment(folder, **settings),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)
        log.close()


def announcement(process: "subprocess.Popen[str]", folder: Path) -> dict[str, Any]:
    """What `up --json` says once it is ready."""
    text = ""
    assert process.stdout is not None
    for line in process.stdout:
        text += line
        if line.rstrip() == "}":
            document: dict[str, Any] = json.loads(text)
            return document
    raise AssertionError(f"the platform did not start: {(folder / 'stderr.txt').read_text()[-3000:]}")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command configures the logs of its process, which here is the tests'."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


@dataclass(frozen=True)
class RunningPlatform:
    """An embedded platform and where it lies."""

    url: str
    folder: Path

    def modernize(self, *arguments: str | Path) -> Result:
        """Run a command against it."""
        return modernize(arguments, self.folder, MODERNIZE_URL=self.url)

    def json(self, *arguments: str | Path) -> Any:
        """What a command that has to succeed prints with --json."""
        done = self.modernize(*arguments, "--json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """`modernize up`, once for all tests."""
    folder = tmp_path_factory.mktemp("platform")
    with started(["up", "--json"], folder, MODERNIZE_PORT="0", MODERNIZE_OUTBOUND_ALLOWED=ALLOWED) as process:
        yield RunningPlatform(announcement(process, folder)["url"], folder)


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A small inventory whose column `Tier` may be doubtful."""
    path = tmp_path / "inventory.csv"
    path.write_text(INVENTORY, encoding="utf-8")
    return path
