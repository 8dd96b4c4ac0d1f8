"""Scanners that look for what must not be in the code: each finds nothing here, and finds what is planted."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from tests.architecture.source import ROOT

RULES = ROOT / "tests" / "architecture" / "rules" / "semgrep.yml"
SEMGREP = ROOT / ".venv" / "scan" / "bin" / "semgrep"
BIN = Path(sys.executable).parent
# Data and what is generated: names of columns and hashes there look like secrets.
NO_SOURCE = (".csv", ".tsv", ".ndjson", ".xlsx", ".parquet", ".zip", ".gz", ".lock", ".pdf", ".png")
GENERATED = ("contracts/openapi.yaml", "contracts/asyncapi.yaml", "contracts/schemas/")

# Longer than the suite's time-out: these tools read the whole tree, on machines that do other things, too.
pytestmark = pytest.mark.timeout(600)


Tool = Callable[[Path, Sequence[str]], subprocess.CompletedProcess[str]]


def outcome(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """What a tool said about a folder."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def bandit(folder: Path, paths: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Known dangerous calls."""
    return outcome(folder, BIN / "bandit", "--quiet", "--configfile", ROOT / "pyproject.toml", "--recursive", *paths)


def semgrep(folder: Path, paths: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The project's own rules."""
    options = ("--metrics", "off", "--disable-version-check", "--quiet", "--error", "--no-git-ignore", "--jobs", "2")
    return outcome(folder, SEMGREP, "scan", "--config", RULES, *options, *paths)


def detect_secrets(folder: Path, paths: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Keys and passwords, unless a line says that it is none: `# pragma: allowlist secret`."""
    well_known = "(guest:guest|user:password|user:pw|postgres:password)@"
    return outcome(folder, BIN / "detect-secrets-hook", "--cores", "2", "--exclude-lines", well_known, *paths)


def zizmor(folder: Path, paths: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """What a workflow would let strangers do."""
    return outcome(folder, BIN / "zizmor", "--offline", "--quiet", *paths)


def sources() -> list[str]:
    """The files under version control that people wrote."""
    listed = outcome(ROOT, "git", "ls-files", "-z").stdout.split("\0")
    return [path for path in listed if path and not path.endswith(NO_SOURCE) and not path.startswith(GENERATED)]


WHOLE: dict[Tool, list[str]] = {
    bandit: ["services", "contracts", "deploy"],
    semgrep: ["services", "contracts", "deploy"],
    zizmor: [".github"],
}


@pytest.mark.parametrize("tool", WHOLE, ids=lambda tool: tool.__name__)
def test_a_scanner_finds_nothing(tool: Tool) -> None:
    found = tool(ROOT, WHOLE[tool])
    assert found.returncode == 0, f"{found.stdout}\n{found.stderr}"


def test_no_secret_is_in_any_file() -> None:
    paths = sources()
    assert len(paths) > 500
    found = detect_secrets(ROOT, paths)
    assert found.returncode == 0, f"{found.stdout}\n{found.stderr}"


WORKFLOW = """\
on: pull_request_target
jobs:
  greet:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.pull_request.title }}"
"""
# A file for each tool, and what its report then names.
PLANTED: tuple[tuple[Tool, str, str, str], ...] = (
    (bandit, "services/gateway/planted.py", "import hashlib\nhashlib.md5(b'x')\n", "B324"),
    (detect_secrets, "services/gateway/planted.py", "aws = 'AKIA" + "J4N7Q2W8E5R1T6Y3'\n", "AWS Access Key"),
    (zizmor, ".github/workflows/planted.yml", WORKFLOW, "template-injection"),
)
# A function for each rule of ours, and what is as near to it as is right.
OURS = {
    "tenant-set-for-a-session": "await s.execute(\"select set_config('app.client_account_id', 'x', false)\")",
    "raw-sql": "await s.execute(text(f\"select 1 from x where y = '{s}'\"))",
    "commit-outside-the-chassis": "await s.commit()",
    "driver-outside-the-transaction": "(await s.get_raw_connection()).driver_connection",
    "certificate-not-checked": "httpx2.get('https://x', verify=False)",
    "secret-compared-with-equals": "return s.secret == s.sent",
    "objects-from-outside-are-unpickled": "pickle.loads(s)",
}
RIGHT = (
    "await s.execute(\"select set_config('app.client_account_id', 'x', true)\")",
    "await s.execute(text('select 1 from x where y = :name'), {'name': s})",
    "await s.execute(text(f'select 1 from {TABLE}'))",
    "return hmac.compare_digest(s.secret, s.sent)",
    "await s.rollback()",
)


@pytest.mark.parametrize(("tool", "path", "text", "named"), PLANTED, ids=[row[3] for row in PLANTED])
def test_a_scanner_finds_what_is_planted(tmp_path: Path, tool: Tool, path: str, text: str, named: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    found = tool(tmp_path, [path])
    assert found.returncode != 0
    assert named in found.stdout + found.stderr


def test_our_rules_find_what_is_planted_and_let_through_what_is_right(tmp_path: Path) -> None:
    folder = tmp_path / "services" / "gateway"
    folder.mkdir(parents=True)
    for name, line in {**OURS, **{f"right-{number}": line for number, line in enumerate(RIGHT)}}.items():
        (folder / f"{name}.py").write_text(f"async def f(s):\n    {line}\n", encoding="utf-8")
    found = json.loads(semgrep(tmp_path, ["--json", "."]).stdout)
    named = {(Path(each["path"]).stem, each["check_id"].rpartition(".")[2]) for each in found["results"]}
    assert named == {(rule, rule) for rule in OURS}
    ids = {rule["id"] for rule in yaml.safe_load(RULES.read_text(encoding="utf-8"))["rules"]}
    assert ids == set(OURS)
