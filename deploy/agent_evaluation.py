"""How often agents are right on labelled questions: `./justw evaluate-agents`, for the rules, and a model beside them.

The labels are people's judgement, each with its reason; where the rules' words would be the truth, nothing is measured.
With `--model` a platform of its own runs for it, and asks it as tasks of agents are always asked: through the ledger,
under a budget, about what the rules are unsure of.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.agents import AgentResult
from contracts.rest_agents import AgentTaskBody, AgentTaskDetail, AgentTaskView
from services.agent_runner.agents.definition import Agent, Answers, Judgement
from services.agent_runner.agents.registry import AGENTS
from services.cli.answering import answered
from services.cli.demo_model import configure, demo_model, loaded, reaching
from services.cli.embedded import platform_in_background
from services.cli.rest_client import RestClient, api_key_file, connect, read_settings
from services.cli.terminal import CommandFailed, err, say_failure

QUESTIONS = Path(__file__).parent / "evaluation" / "agents.json"
# Why a label is what it is; not part of the answer.
BECAUSE = "because"
TASK_SECONDS = 120.0
ENDED = ("completed", "failed", "cancelled")


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


@dataclass(frozen=True)
class Beside:
    """What a model changed of what the rules answered, and what it took."""

    score: Score
    better: int
    worse: int
    tokens: int
    cost_usd: Decimal
    unanswered: list[str]


def labelled_cases(agent_id: str) -> list[dict[str, Any]]:
    """The labelled questions of an agent."""
    cases: list[dict[str, Any]] = json.loads(QUESTIONS.read_text(encoding="utf-8"))[agent_id]
    return cases


def is_right(answer: Judgement | None, expected: dict[str, Any]) -> bool:
    """Whether an answer says what its label says; one that is missing is wrong."""
    told = {name: value for name, value in expected.items() if name != BECAUSE}
    return answer is not None and all(getattr(answer, name) == value for name, value in told.items())


def score(agent: Agent, answers: list[tuple[dict[str, Any], Answers]]) -> Score:
    """Compare answers with the labels of their cases."""
    labelled = right = sure = sure_and_right = 0
    for case, said in answers:
        for key, expected in case["expected"].items():
            answer = said.by_key.get(key)
            is_sure = answer is not None and answer.confidence >= agent.sure
            fits = is_right(answer, expected)
            labelled, right = labelled + 1, right + fits
            sure, sure_and_right = sure + is_sure, sure_and_right + (is_sure and fits)
    return Score(labelled, right, sure, sure_and_right)


def ruled(agent: Agent) -> list[tuple[dict[str, Any], Answers]]:
    """What an agent's rules answer to each of its cases."""
    cases = labelled_cases(agent.agent_id)
    return [(case, agent.rules(agent.input.model_validate(case["question"]))) for case in cases]


def beside(agent: Agent, results: list[tuple[dict[str, Any], AgentResult]]) -> Beside:
    """What came of asking a model, compared with the rules alone."""
    said = [(case, agent.output.model_validate(result.output)) for case, result in results]
    better = worse = 0
    for (case, alone), (_, together) in zip(ruled(agent), said, strict=True):
        for key, expected in case["expected"].items():
            before, after = (is_right(each.by_key.get(key), expected) for each in (alone, together))
            better, worse = better + (after and not before), worse + (before and not after)
    used = [result for _, result in results]
    return Beside(
        score(agent, said),
        better,
        worse,
        sum(result.tokens_in + result.tokens_out for result in used),
        sum((result.cost_usd for result in used), start=Decimal(0)),
        [result.fallback.detail for result in used if result.fallback is not None],
    )


@contextmanager
def evaluating(model: str, budget_usd: float) -> Iterator[RestClient]:
    """A platform of its own whose agents ask a model, until the block ends."""
    values = demo_model(model, budget_usd)
    with tempfile.TemporaryDirectory(prefix="modernize-evaluation-") as folder:
        alone = dict.fromkeys(("database_url", "admin_database_url", "rabbitmq_url", "redis_url", "blob_url"))
        own = {"data_dir": Path(folder), "host": "127.0.0.1", "port": 0, "api_key": None, "log_level": "error"}
        settings = reaching(read_settings().model_copy(update={**alone, **own}), values)
        loaded(settings, values)
        with platform_in_background(settings) as (platform, portal):
            key = api_key_file(settings).read_text(encoding="utf-8").strip()
            with connect(platform.url, key, None, None) as client:
                configure(client, platform, portal, values)
                yield client


def asked(client: RestClient, agent: Agent, case: dict[str, Any]) -> AgentResult:
    """What an agent of a running platform answers; raises `CommandFailed` where its task fails."""
    body = AgentTaskBody(inputs=case["question"], timeout_seconds=TASK_SECONDS)
    task = client.post(f"/agents/{agent.agent_id}/tasks", AgentTaskView, body)
    found = answered(
        f"{agent.title} …",
        lambda: client.get(f"/agent-tasks/{task.task_id}", AgentTaskDetail),
        lambda each: each.status not in ENDED,
        2 * TASK_SECONDS,
        CommandFailed(f"{agent.title} gave no answer.", code="no_answer_yet"),
    )
    if found.result is None:
        why = found.problem.detail if found.problem else found.status
        raise CommandFailed(f"The task of {agent.title} failed: {why}", code="task_failed")
    return found.result


def line(agent: Agent, alone: Score, model: Beside | None) -> str:
    """One agent's figures: the rules alone, and beside them the model."""
    told = f"{agent.agent_id:22}{agent.prompt_version:>12}{alone.labelled:>10}{alone.accuracy:>8.0%}"
    told += f"{alone.precision_when_sure:>11.0%}"
    if model is not None:
        told += f"{model.score.accuracy:>8.0%}{model.score.precision_when_sure:>11.0%}{model.better:>8}{model.worse:>7}"
        told += f"{model.tokens:>10,}{model.cost_usd:>10.4f}"
    return told


def main(
    model: Annotated[str | None, typer.Option(envvar="MODERNIZE_MODEL", help="PROVIDER/MODEL to score, too.")] = None,
    budget: Annotated[float, typer.Option(min=0, help="US dollars that it may cost; none is spent beyond.")] = 1.0,
    agent: Annotated[list[str] | None, typer.Option(help="Only these agents.")] = None,
) -> None:
    """Print a line an agent: how often its rules are right, and how often a model is that may overrule doubts."""
    chosen = [each for name, each in AGENTS.items() if not agent or name in agent]
    header = f"{'agent':22}{'prompts':>12}{'labelled':>10}{'rules':>8}{'when sure':>11}"
    if not model:
        print(header)
        for each in chosen:
            print(line(each, score(each, ruled(each)), None))
        return
    try:
        _score_model(chosen, model, budget, header)
    except CommandFailed as failure:
        say_failure(failure, as_json=False)
        raise typer.Exit(failure.exit_code) from failure


def _score_model(chosen: list[Agent], model: str, budget: float, header: str) -> None:
    spent = Decimal(0)
    with evaluating(model, budget) as client:
        print(f"{header}{'model':>8}{'when sure':>11}{'better':>8}{'worse':>7}{'tokens':>10}{'US$':>10}")
        for each in chosen:
            results = [(case, asked(client, each, case)) for case in labelled_cases(each.agent_id)]
            found = beside(each, results)
            spent += found.cost_usd
            print(line(each, score(each, ruled(each)), found), flush=True)
            for why in dict.fromkeys(found.unanswered):
                err.print(f"  {each.agent_id}: {why}", markup=False, soft_wrap=True)
    print(f"{model} cost ${spent:.4f} of ${budget:g} that it may cost.")


if __name__ == "__main__":
    typer.run(main)
