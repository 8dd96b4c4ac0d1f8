"""What agents remember, from teaching to forgetting, on a platform that runs."""

import json
import time
from pathlib import Path
from typing import Any

from tests.cli.conftest import RunningPlatform

SECONDS = 30


def remembered(platform: RunningPlatform, count: int, text: str = "memory_column") -> list[dict[str, Any]]:
    """The memories with this text, once there are so many."""
    until = time.monotonic() + SECONDS
    while len(found := platform.json("memory", "list", "--text", text)["memories"]) != count:
        assert time.monotonic() < until, found
    return list(found)


def test_what_is_taught_is_remembered_shown_exported_and_forgotten(platform: RunningPlatform, tmp_path: Path) -> None:
    taught = platform.json("learn", "say", "Memory_Column_A should map to Memory (GB)", "--yes")
    platform.json("learn", "column", "Memory_Column_B=dr_tier", "--yes")
    both = remembered(platform, 2)
    assert {each["kind"] for each in both} == {"lesson"}
    first = next(each for each in both if "Memory_Column_A" in each["text"])
    shown = platform.modernize("memory", "show", first["memory_id"])
    assert "Memory_Column_A” means Memory" in shown.stdout
    assert "cmdb_analyst" in shown.stdout
    listed = platform.modernize("memory", "list", "--agent", "cmdb_analyst", "--kind", "lesson")
    assert first["memory_id"] in listed.stdout
    file = tmp_path / "memory.json"
    assert platform.modernize("memory", "export", file).exit_code == 0
    assert first["text"] in {each["text"] for each in json.loads(file.read_bytes())["memories"]}
    platform.json("learn", "undo", taught["learning_id"])
    (left,) = remembered(platform, 1)
    assert platform.json("memory", "forget", left["memory_id"]) == {"forgotten": 1}
    assert remembered(platform, 0) == []
    assert platform.modernize("memory", "show", left["memory_id"]).exit_code == 1
    assert platform.modernize("memory", "forget").exit_code == 2
    assert "Agents forget" in platform.modernize("memory", "forget", "--all").stdout
    assert remembered(platform, 0, "") == []
