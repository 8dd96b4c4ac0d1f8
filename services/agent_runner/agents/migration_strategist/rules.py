"""One of the 6 Rs for applications that are described one by one: the rule table, or what it decided before."""

from datetime import date
from typing import Any, get_args

from pydantic import Field

from contracts.assessment import SixR
from services.agent_runner.agents.application_items import ApplicationItem, facts_of
from services.agent_runner.agents.definition import Answers, Judgement, Question
from services.agent_runner.analysis.six_r import decide


class Ruled(ApplicationItem):
    """An application, with what the rules decided for it where they were asked before."""

    strategy: SixR | None = None
    confidence: float = Field(default=0, ge=0, le=1, description="Of the rules' decision")
    reason: str = Field(default="", max_length=4000)


class Portfolio(Question):
    """Applications to be treated."""

    items: list[Ruled] = Field(min_length=1, max_length=1000)
    as_of: date | None = Field(default=None, description="Support of operating systems is judged then; today")


class Treatment(Judgement):
    """What becomes of one application."""

    strategy: SixR


class Treatments(Answers):
    """What becomes of each application."""

    answers: list[Treatment]


def treat(question: Portfolio) -> Treatments:
    """What was decided before, else the verdict of the first rule that applies."""
    return Treatments(answers=[_treatment(item, question.as_of) for item in question.items])


def _treatment(item: Ruled, as_of: date | None) -> Treatment:
    if item.strategy is not None:
        taken = {"strategy": item.strategy, "confidence": item.confidence}
        return Treatment(key=item.key, rationale=item.reason[:2000], **taken)
    verdict = decide(facts_of(item, as_of))
    taken = {"strategy": verdict.treatment, "confidence": verdict.confidence}
    return Treatment(key=item.key, rationale=verdict.reason[:2000], **taken)


def impossible(question: Portfolio, answer: Treatment) -> str | None:
    """Why this cannot become of the application: what the inventory records stands until a person changes it."""
    item = next(item for item in question.items if item.key == answer.key)
    if item.migration_strategy and answer.strategy != treat(Portfolio(items=[item])).answers[0].strategy:
        return f"the inventory records {item.migration_strategy!r}, which only a person may change"
    return None


def choices(question: Portfolio) -> dict[str, Any]:
    """What can become of an application."""
    return {"treatments": list(get_args(SixR))}
