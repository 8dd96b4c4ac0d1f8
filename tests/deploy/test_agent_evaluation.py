"""Labelled questions to agents: the rules stay as good as they were, and a model is scored beside them."""

import asyncio
import json
from typing import Any

import pytest

from deploy import agent_evaluation
from deploy.agent_evaluation import BECAUSE, labelled_cases, ruled, score
from services.agent_runner.agents.definition import Agent
from services.agent_runner.agents.registry import AGENTS
from tests.model_answers import Asked, Said
from tests.model_server import model_server

each_agent = pytest.mark.parametrize("agent", AGENTS.values(), ids=lambda agent: agent.agent_id)
# What the rules reach on the labels: right in all, and right where they are sure. They may only get better.
REACHED = {
    "cmdb_analyst": (0.33, 1.0),
    "learning_specialist": (0.58, 0.57),
    "migration_strategist": (0.72, 1.0),
    "pattern_recognition": (0.70, 0.90),
    "risk_assessor": (0.66, 1.0),
    "wave_planner": (0.82, 1.0),
}


@each_agent
def test_rules_are_as_right_as_they_were(agent: Agent) -> None:
    found = score(agent, ruled(agent))
    accuracy, precision = REACHED[agent.agent_id]
    assert found.accuracy >= accuracy
    assert found.precision_when_sure >= precision


@each_agent
def test_labels_are_many_have_reasons_and_do_not_repeat_the_rules(agent: Agent) -> None:
    cases = ruled(agent)
    labels = [(said.by_key.get(key), label) for case, said in cases for key, label in case["expected"].items()]
    assert len(labels) >= 15
    for answer, label in labels:
        assert 5 < len(label[BECAUSE]) < 120
        assert answer is None or label[BECAUSE] not in answer.rationale
    assert any(answer is not None and answer.confidence < agent.sure for answer, _ in labels), "nothing for a model"


@each_agent
def test_an_agent_that_answers_nothing_scores_nothing(agent: Agent) -> None:
    cases = [case for case in labelled_cases(agent.agent_id) if case["expected"]]
    found = score(agent, [(case, agent.output.model_validate({"answers": []})) for case in cases])
    assert (found.right, found.accuracy) == (0, 0)


@pytest.mark.xdist_group("crewai")
@pytest.mark.timeout(300)
async def test_a_model_is_scored_beside_the_rules_under_a_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {
        item["name"]: case["expected"][item["key"]]["strategy"]
        for case in labelled_cases("migration_strategist")
        for item in case["question"]["items"]
    }

    def knowing(asked: Asked) -> Said:
        """Knows every label but one, of which it is as sure."""
        data = json.loads(asked.prompt.partition("<data>\n")[2].partition("\n</data>")[0])
        answers = [_said(doubt, labels) for doubt in data["doubts"]]
        return Said(json.dumps({"answers": answers}), tokens_in=1000, tokens_out=100)

    async with model_server(answering=knowing) as stub:
        monkeypatch.setenv("COMPATIBLE_BASE_URL", stub.url)
        await asyncio.to_thread(agent_evaluation.main, "compatible/stub", 0.5, ["migration_strategist"])
    printed = capsys.readouterr().out.splitlines()
    figures = printed[1].split()
    rules, model = (int(figures[place].rstrip("%")) for place in (3, 5))
    better, worse, tokens = (int(figures[place].replace(",", "")) for place in (7, 8, 9))
    assert model > rules
    assert better > 0
    assert worse == 1
    assert tokens == len(stub.chats()) * 1100 > 0
    assert printed[-1] == "compatible/stub cost $0.0000 of $0.5 that it may cost."


def _said(doubt: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    name = doubt["evidence"]["name"]
    strategy = "retire" if name == "Jira" else labels[name]
    return {"key": doubt["key"], "strategy": strategy, "confidence": 0.9, "rationale": "I know it."}
