"""Learning, saved mappings and fields, against a platform that runs."""

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import RunningPlatform

EXPORT = "Hostname;RAM_GB;APPLICATION_OWNER;DR_TIER;Xyzzy\nlearn01;16;Jane Smith;Tier 1;gold\nlearn02;32;Bo;Tier 2;a\n"


def imported(platform: RunningPlatform, folder: Path, text: str = EXPORT) -> dict[str, Any]:
    """The discovery of an export, approved as proposed where it asks."""
    path = folder / "learnable servers.csv"
    path.write_text(text, encoding="utf-8")
    [flow] = platform.json("import", path, "--then", "none", "--watch")["flows"]
    if flow["status"] == "waiting":
        platform.json("flows", "approve", flow["flow_id"])
        [flow] = platform.json("flows", "watch", flow["flow_id"])["flows"]
    assert flow["status"] == "completed", flow
    return dict(flow)


def only_source(platform: RunningPlatform) -> dict[str, Any]:
    sources = platform.json("mappings", "sources")["sources"]
    return dict(next(source for source in sources if source["name"].startswith("learnable")))


def test_what_is_said_shows_its_effect_counts_when_applied_and_is_taken_back(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    imported(platform, tmp_path)
    doubt = platform.json("learn", "say", "RAM_GB is not Memory", "--yes")
    assert doubt["status"] == "applied"
    shown = platform.modernize("learn", "say", "RAM_GB should map to Memory (GB)")
    assert shown.exit_code == 0, shown.stderr
    assert "No longer missing: memory_gb." in shown.stdout
    assert "It does not count yet" in shown.stdout
    proposed = next(each for each in platform.json("learn", "list")["learnings"] if each["status"] == "proposed")
    applied = platform.modernize("learn", "apply", proposed["learning_id"])
    assert "Applied" in applied.stdout
    assert [each["field"] for each in platform.json("learn", "lessons", "--column", "ram")["lessons"]] == ["memory_gb"]
    assert "memory_gb" in platform.modernize("learn", "analyse").stdout
    for learning in (proposed, doubt):
        assert platform.json("learn", "undo", learning["learning_id"])["status"] == "undone"
    assert platform.json("learn", "lessons", "--column", "ram")["lessons"] == []


def test_what_is_not_understood_is_refused_with_examples(platform: RunningPlatform) -> None:
    refused = platform.modernize("learn", "say", "make it better")
    assert refused.exit_code == 1
    assert "“make it better” was not understood" in refused.stderr
    assert "RAM_GB should map to Memory (GB)" in refused.stderr
    assert platform.modernize("learn", "column", "Tier").exit_code == 2
    assert platform.modernize("learn", "column", "--not", "Tier=").exit_code == 2


def test_a_source_is_renamed_exported_and_its_document_learned(platform: RunningPlatform, tmp_path: Path) -> None:
    imported(platform, tmp_path)
    source_id = only_source(platform)["source_id"]
    taught = platform.json("learn", "column", "Xyzzy=cluster", "--source", source_id, "--yes")
    assert platform.json("mappings", "rename", source_id, "learnable estate")["name"] == "learnable estate"
    file = tmp_path / "template.json"
    assert "1 lessons, 1 sources" in platform.modernize("mappings", "export", source_id, file).stdout
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["sources"][0]["lessons"] == [{"column": "Xyzzy", "verdict": "is", "field": "cluster", "unit": None}]
    assert platform.json("learn", "import", file)["status"] == "proposed"
    lesson_id = taught["lessons"][0]["lesson_id"]
    assert platform.json("learn", "forget", lesson_id, "--yes")["status"] == "applied"
    file.write_text("{}{", encoding="utf-8")
    assert "is not a document of `modernize learn export`" in platform.modernize("learn", "import", file).stderr
    assert {"fields", "lessons", "sources"} < set(platform.json("learn", "export"))


def test_a_changed_header_is_shown_as_drift(platform: RunningPlatform, tmp_path: Path) -> None:
    imported(platform, tmp_path)
    imported(platform, tmp_path, EXPORT.replace("RAM_GB", "RAM_GiB"))
    source_id = only_source(platform)["source_id"]
    mappings = platform.json("mappings", "list", "--source", source_id)["mappings"]
    changed = next(each for each in mappings if each["drift"])
    shown = platform.modernize("mappings", "show", changed["mapping_id"])
    assert "“RAM_GB” became “RAM_GiB”" in shown.stdout
    assert "Missing for a host: ip_address, " in shown.stdout
    assert platform.json("mappings", "delete", changed["mapping_id"])["mapping_id"] == changed["mapping_id"]
    assert "learnable" in platform.modernize("mappings", "list").stdout


def test_fields_of_ones_own_are_added_changed_and_deleted(platform: RunningPlatform) -> None:
    added = platform.json("fields", "add", "Backup policy", "--name", "Sicherungsklasse")
    assert (added["field_id"], added["own"]) == ("own_backup_policy", True)
    assert "Sicherungsklasse" in platform.modernize("fields", "list", "--own").stdout
    assert platform.json("fields", "change", "own_backup_policy", "--label", "Backups")["label"] == "Backups"
    wrong = platform.modernize("fields", "add", "X", "--type", "colour")
    assert (wrong.exit_code, "body.type" in wrong.stderr) == (1, True)
    assert platform.json("fields", "delete", "own_backup_policy")["field_id"] == "own_backup_policy"
    assert platform.json("fields", "list", "--own")["fields"] == []
