"""The audit log as its readers use it, against a platform that runs; and without one."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import RunningPlatform, modernize


def test_the_log_is_read_proven_taken_away_and_checked_without_the_platform(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    platform.json("limits", "set", "--weight", "7")
    keys, kept, export = tmp_path / "keys.txt", tmp_path / "checkpoint.txt", tmp_path / "log.zip"
    signed = platform.json("audit", "checkpoints", "--sign", "--output", kept)["checkpoints"]
    assert signed[-1]["note"] == kept.read_text()
    assert signed[-1]["key_id"] in platform.modernize("audit", "checkpoints").stdout
    assert platform.json("audit", "keys", "--output", keys)["keys"][0]["public_key"] == keys.read_text().splitlines()[0]

    [limits] = platform.json("audit", "list", "--type", "tenant_limits.saved", "--by", "operator", "--limit", "1")[
        "entries"
    ]
    shown = platform.modernize("audit", "show", str(limits["seq"]))
    assert '"weight": 7' in shown.stdout
    assert "Proven to be in the checkpoint of" in shown.stdout
    assert "tenant_limits.saved" in platform.modernize("audit", "list", "--oldest-first", "--limit", "500").stdout
    assert "No entry" in platform.modernize("audit", "list", "--until", "2001-01-01").stdout
    assert platform.modernize("audit", "show", "1000000").exit_code == 1

    online = platform.json("audit", "verify", "--checkpoint", kept)
    assert (online["valid"], online["checkpoints"] > len(signed)) == (True, True)
    assert "intact" in platform.modernize("audit", "verify").stdout
    written = platform.json("audit", "export", export)
    assert written["entries"] > signed[-1]["size"]
    assert platform.json("audit", "list", "--type", "audit.exported")["entries"]

    # From here on there is neither a platform nor a key to it.
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    alone = ("audit", "verify", export, "--key", keys, "--checkpoint", kept, "--url", "http://127.0.0.1:9")
    offline = modernize([*alone, "--json"], nowhere)
    assert (offline.exit_code, json.loads(offline.stdout)["entries"]) == (0, written["entries"])
    assert "The audit log is intact" in modernize(alone, nowhere).stdout
    edit(export, limits["seq"])
    refused = modernize(alone, nowhere)
    assert refused.exit_code == 1
    assert f"entry {limits['seq']} does not fit" in refused.stderr


def edit(export: Path, seq: int) -> None:
    """Change one record of an export."""
    with zipfile.ZipFile(export) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    lines = members["entries.ndjson"].splitlines(keepends=True)
    lines[seq - 1] = lines[seq - 1].replace(b'weight\\":7', b'weight\\":8')
    with zipfile.ZipFile(export, "w") as archive:
        for name, content in {**members, "entries.ndjson": b"".join(lines)}.items():
            archive.writestr(name, content)


def test_a_new_key_signs_what_comes_and_the_old_one_still_verifies(platform: RunningPlatform, tmp_path: Path) -> None:
    platform.json("audit", "checkpoints", "--sign")
    before = platform.json("audit", "keys")["keys"]
    after = platform.json("audit", "keys", "--replace", "--output", tmp_path / "keys.txt")["keys"]
    assert [key["key_id"] for key in after[:-1]] == [key["key_id"] for key in before]
    signed = platform.json("audit", "checkpoints", "--sign")["checkpoints"]
    assert signed[-1]["key_id"] == after[-1]["key_id"]
    export = tmp_path / "log.zip"
    platform.json("audit", "export", export)
    assert modernize(["audit", "verify", export, "--key", tmp_path / "keys.txt"], tmp_path).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["log.zip"], 2, "give those that you trust with --key"),
        (["log.zip", "--key", "absent.txt"], 1, "absent.txt cannot be read"),
        (["log.zip", "--key", "keys.txt"], 1, "no public key"),
        (["log.zip", "--key", "empty.txt"], 1, "cannot be read as a ZIP file"),
    ],
)
def test_what_cannot_be_checked_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], exit_code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys.txt").write_text("not a key\n")
    (tmp_path / "empty.txt").write_text("")
    shutil.copy(tmp_path / "keys.txt", tmp_path / "log.zip")
    refused = modernize(["audit", "verify", *arguments], tmp_path)
    assert refused.exit_code == exit_code
    assert words in refused.stderr.replace("\n", " ")
