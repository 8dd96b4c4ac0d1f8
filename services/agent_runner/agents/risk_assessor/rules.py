"""What could go wrong when an application moves: the rules' figures, what drives them, and what to do about it."""

from datetime import date
from typing import Any

from pydantic import Field

from contracts.assessment import RiskLevel, SixR
from services.agent_runner.agents.application_items import ApplicationItem, facts_of
from services.agent_runner.agents.definition import Answers, Judgement, Question
from services.agent_runner.analysis.risk import (
    HIGH_RISK,
    MEDIUM_RISK,
    complexity_of,
    drivers_of,
    level_of,
    risk_confidence,
    risk_of,
    risk_reason,
)


class Move(ApplicationItem):
    """An application and how it is to move."""

    strategy: SixR = "rehost"
    risk: float | None = Field(default=None, ge=0, le=1, description="Of the rules, where they were asked before")
    complexity: float = Field(default=0, ge=0, le=1)
    confidence: float = Field(default=0, ge=0, le=1, description="Of the rules' risk")
    reason: str = Field(default="", max_length=4000)


class Moves(Question):
    """Applications whose moves are to be judged."""

    items: list[Move] = Field(min_length=1, max_length=1000)
    as_of: date | None = Field(default=None, description="Support of operating systems is judged then; today")


class Risk(Judgement):
    """What moving one application risks."""

    level: RiskLevel
    risk: float = Field(ge=0, le=1)
    complexity: float = Field(ge=0, le=1)
    drivers: list[str] = Field(default=[], max_length=10, description="What makes it risky")
    mitigations: list[str] = Field(default=[], max_length=10, description="What to do about it")


class Risks(Answers):
    """What moving each application risks."""

    answers: list[Risk]


def judge(question: Moves) -> Risks:
    """What was computed before, or the weighted sums of `analysis.risk`."""
    return Risks(answers=[_risk(item, question.as_of) for item in question.items])


def _risk(item: Move, as_of: date | None) -> Risk:
    facts = facts_of(item, as_of)
    known = {} if item.risk is None else item.model_dump(include={"risk", "complexity", "confidence"})
    risk = risk_of(facts, item.strategy) if item.risk is None else item.risk
    found = {
        "risk": risk,
        "complexity": complexity_of(facts, item.strategy),
        "confidence": risk_confidence(facts),
        **known,
    }
    told = [(driver, help_) for driver, help_ in drivers_of(facts)]
    return Risk(
        key=item.key,
        level=level_of(risk),
        drivers=[driver for driver, _ in told],
        mitigations=[help_ for _, help_ in told],
        rationale=item.reason[:2000] or f"{item.name}: {risk_reason(facts)}",
        **found,
    )


def impossible(question: Moves, answer: Risk) -> str | None:
    """Why an answer cannot be: its figure and its level say different things."""
    if level_of(answer.risk) != answer.level:
        return f"a risk of {answer.risk:.2f} is {level_of(answer.risk)}, not {answer.level}"
    return None


def scale(question: Moves) -> dict[str, Any]:
    """What the levels mean in figures."""
    return {"levels": {"low": f"below {MEDIUM_RISK}", "medium": f"below {HIGH_RISK}", "high": f"from {HIGH_RISK}"}}
