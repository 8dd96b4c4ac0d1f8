"""How often agents are right on labelled questions: `./justw evaluate-agents`, for the rules behind them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.agent_runner.agents.definition import Agent, Answers
from services.agent_runner.agents.registry import AGENTS

QUESTIONS = Path(__file__).parent / "evaluation" / "agents.json"


@dataclass(frozen=True)
class Score:
    """Of the labelled answers, how many are right; and of those that rules were sure of, how many."""

    labelled: int
    right: int
    sure: int
    sure_and_right: int

    @property
    def accuracy(self) -> float:
        """Right answers among the labelled ones."""
        return self.right / self.labelled

    @property
    def precision_when_sure(self) -> float:
        """Right answers among those that no model is shown."""
        return self.sure_and_right / self.sure if self.sure else 1.0


def labelled_cases(agent_id: str) -> list[dict[str, Any]]:
    """The labelled questions of an agent."""
    cases: list[dict[str, Any]] = json.loads(QUESTIONS.read_text(encoding="utf-8"))[agent_id]
    return cases


def score(agent: Agent, answered: list[tuple[dict[str, Any], Answers]]) -> Score:
    """Compare answers with the labels of their cases; an answer that is missing is wrong."""
    labelled = right = sure = sure_and_right = 0
    for case, answers in answered:
        by_key = answers.by_key
        for key, expected in case["expected"].items():
            answer = by_key.get(key)
            is_right = answer is not None and all(getattr(answer, name) == value for name, value in expected.items())
            is_sure = answer is not None and answer.confidence >= agent.sure
            labelled, right = labelled + 1, right + is_right
            sure, sure_and_right = sure + is_sure, sure_and_right + (is_sure and is_right)
    return Score(labelled, right, sure, sure_and_right)


def score_of_rules(agent: Agent) -> Score:
    """How often an agent's rules are right."""
    cases = labelled_cases(agent.agent_id)
    return score(agent, [(case, agent.rules(agent.input.model_validate(case["question"]))) for case in cases])


def main() -> None:
    """Print a line an agent."""
    print(f"{'agent':24}{'prompts':>14}{'labelled':>10}{'right':>8}{'right when sure':>18}")
    for agent in AGENTS.values():
        found = score_of_rules(agent)
        print(
            f"{agent.agent_id:24}{agent.prompt_version:>14}{found.labelled:>10}{found.accuracy:>8.0%}"
            f"{found.precision_when_sure:>18.0%}"
        )


if __name__ == "__main__":
    main()
