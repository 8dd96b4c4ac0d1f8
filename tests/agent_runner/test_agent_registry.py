"""The agents there are: each folder is one, its prompts are under version, and its rules answer alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.agent_runner.agents.definition import Agent
from services.agent_runner.agents.prompts import read_prompts
from services.agent_runner.agents.registry import AGENTS, found_agents

VERSIONS = Path(__file__).parent / "prompt_versions.json"
QUESTIONS: dict[str, dict[str, Any]] = {
    "cmdb_analyst": {"items": [{"key": "1", "column": "Host Name"}, {"key": "2", "column": "Zebra"}]},
    "learning_specialist": {"items": [{"column": "Tier", "source": "CMDB", "decided": "criticality"}]},
    "pattern_recognition": {"names": ["web-prd-01", "web-dev-02", "db-prd-01"]},
    "migration_strategist": {"items": [{"key": "1", "name": "Ledger"}]},
    "risk_assessor": {"items": [{"key": "1", "name": "Ledger"}]},
    "wave_planner": {"items": [{"key": "7d9f0c1e-0000-4000-8000-000000000001", "name": "Ledger"}]},
}
each_agent = pytest.mark.parametrize("agent", AGENTS.values(), ids=lambda agent: agent.agent_id)


def test_every_folder_with_a_crew_is_an_agent() -> None:
    assert set(AGENTS) == set(QUESTIONS)


def test_two_agents_share_no_capability() -> None:
    capabilities = [capability for agent in AGENTS.values() for capability in agent.capabilities]
    assert len(capabilities) == len(set(capabilities))


@each_agent
def test_a_prompt_that_changes_gets_a_new_number(agent: Agent) -> None:
    # Whoever changes a prompt raises `version` in its agents.yaml and adds the new one at the end of the list.
    known = json.loads(VERSIONS.read_text(encoding="utf-8"))[agent.agent_id]
    assert known[-1] == agent.prompt_version
    assert [int(version.partition("-")[0]) for version in known] == list(range(1, agent.prompts.number + 1))


@each_agent
def test_the_rules_answer_everything_that_was_asked(agent: Agent) -> None:
    question = agent.input.model_validate(QUESTIONS[agent.agent_id])
    ruled = agent.rules(question)
    assert isinstance(ruled, agent.output)
    assert ruled.answers
    assert len(ruled.by_key) == len(ruled.answers)
    for answer in ruled.answers:
        assert answer.rationale
        assert agent.refuses(question, answer) is None
        assert agent.evidence(question, answer.key)


@each_agent
def test_a_question_of_another_kind_names_the_field_that_is_wrong(agent: Agent) -> None:
    with pytest.raises(ValidationError) as wrong:
        agent.input.model_validate({**QUESTIONS[agent.agent_id], "itmes": []})
    assert wrong.value.errors()[0]["loc"] == ("itmes",)


@each_agent
def test_schemas_can_be_told_to_others(agent: Agent) -> None:
    assert agent.input.model_json_schema()["properties"]
    assert "answers" in agent.output.model_json_schema()["properties"]


def test_an_agent_that_is_not_called_like_its_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "more_agents" / "dentist"
    folder.mkdir(parents=True)
    (folder / "crew.py").write_text(
        "from services.agent_runner.agents.registry import AGENTS\nAGENT = AGENTS['cmdb_analyst']\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="calls itself cmdb_analyst"):
        found_agents("more_agents")


@pytest.mark.parametrize(
    ("agents", "tasks", "message"),
    [
        ("version: 1\n", "a: {agent: a}", "agents.yaml must have an entry a"),
        ("version: 1\na: {role: R, goal: G, backstory: B}", "a: {agent: b}", "must name the agent a"),
        ("version: 1\na: {role: R, goal: G}", "a: {agent: a}", "backstory is missing or empty"),
    ],
)
def test_a_prompt_that_is_missing_is_named(
    agents: str, tasks: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agents.yaml").write_text(agents, encoding="utf-8")
    (tmp_path / "tasks.yaml").write_text(tasks, encoding="utf-8")
    monkeypatch.setattr("services.agent_runner.agents.prompts.files", lambda name: tmp_path)
    with pytest.raises(ValueError, match=message):
        read_prompts("prompted", "a")
