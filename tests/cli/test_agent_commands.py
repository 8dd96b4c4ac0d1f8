"""Agents, their tasks and costs from the command line, against a platform that runs."""

import json

from services.cli.event_stream import parsed
from tests.cli.conftest import RunningPlatform

QUESTION = {"names": ["prd-web-01", "prd-web-02", "tst-db-01"]}


def test_a_task_is_given_answered_listed_and_watched(platform: RunningPlatform) -> None:
    listed = platform.json("agents", "list")["items"]
    assert "pattern_recognition" in [each["agent_id"] for each in listed]
    assert "pattern_recognition" in platform.modernize("agents", "list").stdout
    shown = platform.modernize("agents", "show", "pattern_recognition")
    assert '"properties"' in shown.stdout
    later = ("--at", "2099-01-01", "--inputs", json.dumps(QUESTION))
    scheduled = platform.json("agents", "run", "pattern_recognition", *later)
    assert scheduled["status"] == "scheduled"
    assert platform.json("agents", "cancel", scheduled["task_id"])["status"] == "cancelled"
    answered = platform.json("agents", "run", "--capability", scheduled["capability"], "--inputs", json.dumps(QUESTION))
    assert (answered["status"], answered["engine"]) == ("completed", "rules")
    assert "confidence" in platform.modernize("agents", "tasks", answered["task_id"]).stdout
    tasks = platform.json("agents", "tasks", "--status", "completed")["items"]
    assert answered["task_id"] in [each["task_id"] for each in tasks]
    once = ("--after", "0", "--seconds", "0", "--json")
    watched = platform.modernize("agents", "watch", "--task", answered["task_id"], *once)
    told = [json.loads(line)["type"] for line in watched.stdout.splitlines()]
    assert (told[0], told[-1]) == ("agent_task.requested", "agent_task.completed")
    assert platform.modernize("agents", "retry", answered["task_id"]).exit_code == 1
    assert "rules answered everything" in platform.modernize("costs").stdout


def test_a_schedule_of_tasks_is_made_shown_paused_resumed_and_deleted(platform: RunningPlatform) -> None:
    given = ("--inputs", json.dumps(QUESTION), "--cron", "0 2 * * 1", "--name", "names", "--time-zone", "Asia/Tokyo")
    made = platform.json("agents", "schedules", "create", "pattern_recognition", *given)
    schedule_id = made["schedule_id"]
    assert "Asia/Tokyo" in platform.modernize("agents", "schedules", "list").stdout
    shown = platform.json("agents", "schedules", "show", schedule_id)
    assert (shown["inputs"], shown["next_runs"][0]) == (QUESTION, made["next_at"])
    assert "will ask at" in platform.modernize("agents", "schedules", "show", schedule_id).stdout
    assert platform.json("agents", "schedules", "pause", schedule_id)["next_at"] is None
    assert platform.json("agents", "schedules", "resume", schedule_id)["next_at"] == made["next_at"]
    assert platform.json("agents", "schedules", "delete", schedule_id)["schedule_id"] == schedule_id
    refused = platform.modernize("agents", "schedules", "create", *given)
    assert refused.exit_code != 0
    assert "name an agent" in refused.stderr


def test_what_makes_no_sense_is_refused(platform: RunningPlatform) -> None:
    for arguments, words in (
        (("--inputs", "{}"), "Name an agent"),
        (("pattern_recognition", "--inputs", "{"), "no JSON"),
        (("pattern_recognition", "--inputs", "[]"), "JSON object"),
        (("pattern_recognition", "--inputs", "{}"), "inputs"),
        (("nobody", "--inputs", "{}"), "nobody"),
    ):
        refused = platform.modernize("agents", "run", *arguments)
        assert refused.exit_code != 0, arguments
        assert words in refused.stderr, arguments


def test_events_are_read_from_the_lines_of_a_stream() -> None:
    lines = ["event: a", 'data: {"x": 1}', "id: 7", "", ": ping", "", 'data: {"x":', "data: 2}", "id: 8", ""]
    assert list(parsed(lines)) == [(7, {"x": 1}), (8, {"x": 2})]
