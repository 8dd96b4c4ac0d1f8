"""The tools that judge the code as a whole, run as tests so that one command is the gate."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT

COMMANDS = (
    ("mypy",),
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
)


# Longer than the suite's time-out: the first mypy run on a fresh clone has no cache.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_tool_finds_nothing(command: tuple[str, ...]) -> None:
    outcome = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, f"{outcome.stdout}\n{outcome.stderr}"


@pytest.mark.parametrize(
    ("path", "status"), [("services/audit/chain.py", 1), ("services/cli/main.py", 0), ("deploy/bench/run.py", 0)]
)
def test_only_the_command_line_prints(path: str, status: int) -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--select", "T20", "--stdin-filename", path, "-"]
    assert (
        subprocess.run(ruff, cwd=ROOT, input="print(1)\n", capture_output=True, text=True, check=False).returncode
        == status
    )
