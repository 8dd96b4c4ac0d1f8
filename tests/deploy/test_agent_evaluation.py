"""Labelled questions to agents: the rules stay as good as they were, and are right where no model is asked."""

import pytest

from deploy.agent_evaluation import labelled_cases, score, score_of_rules
from services.agent_runner.agents.definition import Agent
from services.agent_runner.agents.registry import AGENTS

each_agent = pytest.mark.parametrize("agent", AGENTS.values(), ids=lambda agent: agent.agent_id)


@each_agent
def test_rules_are_mostly_right_and_more_so_where_they_are_sure(agent: Agent) -> None:
    found = score_of_rules(agent)
    assert found.accuracy >= 0.75
    assert found.precision_when_sure >= 0.8


@each_agent
def test_an_agent_that_answers_nothing_scores_nothing(agent: Agent) -> None:
    cases = [case for case in labelled_cases(agent.agent_id) if case["expected"]]
    found = score(agent, [(case, agent.output.model_validate({"answers": []})) for case in cases])
    assert (found.right, found.accuracy) == (0, 0)
