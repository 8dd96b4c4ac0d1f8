"""`deploy/environment.py` and `justw`: what gets installed, and when nothing has to be."""

import os
import subprocess
from pathlib import Path

import pytest

from deploy import environment

ROOT = Path(__file__).resolve().parent.parent.parent
LOCK = """\
just-a-prefix==1.0 \\
    --hash=sha256:aa
uv==0.13.8 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
uvicorn==0.54.0 ; sys_platform == 'linux' \\
    --hash=sha256:dd
"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A checkout of its own, and the commands that would have run in it."""
    (tmp_path / "requirements.lock").write_text(LOCK, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (tmp_path / ".venv").mkdir()
    for name, path in {"ROOT": ".", "LOCK": "requirements.lock", "PARTS_STAMP": ".venv/parts.stamp"}.items():
        monkeypatch.setattr(environment, name, tmp_path / path)
    ran: list[list[str]] = []
    monkeypatch.setattr(environment, "run", lambda *command: ran.append([str(part) for part in command]))
    return ran


def test_a_pin_is_taken_from_the_lock_with_its_hashes(commands: list[list[str]]) -> None:
    assert environment.locked(["uv==0.13.8"]) == "uv==0.13.8 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"


def test_the_demo_installs_no_developer_tools_and_no_agents(commands: list[list[str]]) -> None:
    environment.sync(["embedded"])
    assert [command[-4:] for command in commands] == [
        ["--group", "tools", "--extra", "embedded"],
        [*commands[1][-4:-2], "--editable", "."],
    ]
    assert "--require-hashes" in commands[0]


def test_nothing_runs_when_nothing_changed(commands: list[list[str]]) -> None:
    environment.sync(["embedded", "dev"])
    commands.clear()
    environment.sync(["embedded"])
    assert commands == []


def test_a_changed_lock_installs_again_and_keeps_what_was_there(commands: list[list[str]]) -> None:
    environment.sync(["dev"])
    commands.clear()
    environment.LOCK.write_text(LOCK.replace("0.13.8", "0.13.9"), encoding="utf-8")
    environment.sync(["embedded"])
    assert commands[0][-4:] == ["--group", "dev", "--extra", "embedded"]


def test_an_unknown_part_names_the_parts(commands: list[list[str]]) -> None:
    with pytest.raises(SystemExit, match="no part everything; the parts are embedded, agents, kms, embeddings, dev"):
        environment.sync(["everything"])
    assert commands == []


def test_justw_says_what_to_do_without_a_python(tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    checkout.mkdir()
    for name in ("justw", "requirements.lock"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("cat", "dirname", "sed"):
        found = next(
            Path(folder) / name for folder in os.defpath.split(":") if folder and (Path(folder) / name).exists()
        )
        (tools / name).symlink_to(found)
    outcome = subprocess.run(
        ["/bin/sh", str(checkout / "justw"), "demo"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "found no Python 3.11 or newer" in outcome.stderr
    assert "apt install python3 python3-venv" in outcome.stderr


def test_semgrep_is_installed_beside_the_rest_by_a_lock_of_its_own(
    commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scan.lock").write_text("semgrep==1.0\n", encoding="utf-8")
    (tmp_path / "scan").mkdir()
    for name, path in {"SCAN": "scan", "SCAN_LOCK": "scan.lock"}.items():
        monkeypatch.setattr(environment, name, tmp_path / path)
    environment.sync(["dev", "scan"])
    assert [command[1] for command in commands[:2]] == ["venv", "pip"]
    assert commands[1][-1] == str(tmp_path / "scan.lock")
    assert "--require-hashes" in commands[1]
    commands.clear()
    environment.sync(["dev", "scan"])
    assert commands == []
