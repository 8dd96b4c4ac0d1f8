"""What could go wrong when an application moves: the rules' figures, what drives them, and what to do about it."""

from collections.abc import Callable
from datetime import date
from typing import Any, Literal

from pydantic import Field

from contracts.assessment import SixR
from services.agent_runner.agents.application_items import ApplicationItem, facts_of
from services.agent_runner.agents.definition import Answers, Judgement, Question
from services.agent_runner.analysis.application_facts import ApplicationFacts
from services.agent_runner.analysis.phrases import listed
from services.agent_runner.analysis.risk import complexity_of, risk_of
from services.agent_runner.analysis.scales import HIGH, PRODUCTION

Level = Literal["low", "medium", "high"]

# Half of the way from no risk to all there is, and where the parts that alone are harmless cannot lead.
MEDIUM_RISK, HIGH_RISK = 0.35, 0.6
# A figure that stands on none of its facts says nothing; one that stands on all of them is still a model of ours.
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.3, 0.9
_WEIGHED = ("criticality", "environment", "dependencies", "data classification", "operating system")
MANY_NEIGHBOURS = 8


class Move(ApplicationItem):
    """An application and how it is to move."""

    strategy: SixR = "rehost"


class Moves(Question):
    """Applications whose moves are to be judged."""

    items: list[Move] = Field(min_length=1, max_length=1000)
    as_of: date | None = Field(default=None, description="Support of operating systems is judged then; today")


class Risk(Judgement):
    """What moving one application risks."""

    level: Level
    risk: float = Field(ge=0, le=1)
    complexity: float = Field(ge=0, le=1)
    drivers: list[str] = Field(default=[], max_length=10, description="What makes it risky")
    mitigations: list[str] = Field(default=[], max_length=10, description="What to do about it")


class Risks(Answers):
    """What moving each application risks."""

    answers: list[Risk]


# What drives a risk: when, in words, and what helps.
_DRIVERS: tuple[tuple[Callable[[ApplicationFacts], bool], str, str], ...] = (
    (
        lambda f: (f.criticality_level or 0) >= HIGH,
        "it is of high criticality",
        "Rehearse the move, and agree on a way back and on who decides to take it.",
    ),
    (
        lambda f: f.environment_rank == PRODUCTION,
        "it is in production",
        "Move its test systems first, and switch over in a maintenance window.",
    ),
    (
        lambda f: f.neighbours >= MANY_NEIGHBOURS,
        "many applications are connected with it",
        "Test each connection across sites before the switch, and tell the owners of its neighbours.",
    ),
    (
        lambda f: (f.sensitivity or 0) >= HIGH,
        "its data is sensitive",
        "Clear with security and law where the data may lie before it is copied.",
    ),
    (
        lambda f: bool(f.unsupported),
        "its operating system is out of support",
        "Upgrade on the way, or isolate it in a network of its own.",
    ),
    (
        lambda f: bool(f.unknown_systems) or not f.operating_systems,
        "its operating system is not known",
        "Find out what it runs on before it is put into a wave.",
    ),
)


def judge(question: Moves) -> Risks:
    """The weighted sums of `analysis.risk`; the confidence rises with the share of their facts that are known."""
    return Risks(answers=[_risk(item, question.as_of) for item in question.items])


def level_of(risk: float) -> Level:
    """A risk as people say it."""
    return "high" if risk >= HIGH_RISK else "medium" if risk >= MEDIUM_RISK else "low"


def _risk(item: Move, as_of: date | None) -> Risk:
    facts = facts_of(item, as_of)
    risk = risk_of(facts, item.strategy)
    unknown = [fact for fact in _WEIGHED if not facts.known[fact]]
    share = 1 - len(unknown) / len(_WEIGHED)
    drivers = [(driver, help_) for holds, driver, help_ in _DRIVERS if holds(facts)]
    reason = f"{item.name}: {listed([driver for driver, _ in drivers], 6) or 'nothing known speaks against moving it'}."
    if unknown:
        reason += f" Not known: {', '.join(unknown)}."
    return Risk(
        key=item.key,
        level=level_of(risk),
        risk=risk,
        complexity=complexity_of(facts, item.strategy),
        drivers=[driver for driver, _ in drivers],
        mitigations=[help_ for _, help_ in drivers],
        confidence=round(LEAST_CONFIDENCE + (MOST_CONFIDENCE - LEAST_CONFIDENCE) * share, 3),
        rationale=reason,
    )


def impossible(question: Moves, answer: Risk) -> str | None:
    """Why an answer cannot be: its figure and its level say different things."""
    if level_of(answer.risk) != answer.level:
        return f"a risk of {answer.risk:.2f} is {level_of(answer.risk)}, not {answer.level}"
    return None


def scale(question: Moves) -> dict[str, Any]:
    """What the levels mean in figures."""
    return {"levels": {"low": f"below {MEDIUM_RISK}", "medium": f"below {HIGH_RISK}", "high": f"from {HIGH_RISK}"}}
