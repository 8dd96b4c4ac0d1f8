"""Which applications move together and when: the wave plan's rules, or a plan that they made before."""

from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from contracts.assessment import SixR
from contracts.claim_checks import APPLICATIONS, ASSESSMENTS, ASSETS, DEPENDENCIES
from contracts.planning import WaveLimits
from services.agent_runner.agents.definition import Answers, Item, Judgement, Question
from services.agent_runner.analysis.layouts import schema_of
from services.agent_runner.analysis.phrases import counted, listed
from services.agent_runner.analysis.waves import plan_waves

# An application without ties is as well in one wave as in the next; one whose ties are all kept is well placed.
WITHOUT_TIES, ALL_TIES_KEPT, NO_TIE_KEPT = 0.8, 0.95, 0.25


class Planned(Item):
    """An application that moves; `key` is a UUID where the rules are to plan it."""

    name: str = Field(min_length=1, max_length=300)
    strategy: SixR = "rehost"
    risk: float = Field(default=0.5, ge=0, le=1)
    assets: int = Field(default=1, ge=0, le=100_000)
    environment: str | None = None
    criticality: str | None = None
    wave: int | None = Field(default=None, ge=1, description="Where the rules put it, where they were asked before")
    reason: str = Field(default="", max_length=4000)


class Tie(BaseModel):
    """A dependency between two of the applications, by their keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    target: str
    kind: str = Field(default="connection", description="connection, declared or shared_asset")
    observations: int | None = Field(default=None, ge=0)


class Plan(Question):
    """Applications to be put into waves, or a plan to be looked at."""

    items: list[Planned] = Field(min_length=1, max_length=5000)
    ties: list[Tie] = Field(default=[], max_length=20_000)
    limits: WaveLimits = WaveLimits()


class Placement(Judgement):
    """The wave of one application."""

    wave: int = Field(ge=0, description="0: it moves in no wave")


class Placements(Answers):
    """The wave of each application."""

    answers: list[Placement]


def place(question: Plan) -> Placements:
    """The given plan, or one by the rules; an application is the better placed the more of its ties stay inside."""
    waves = {item.key: item.wave for item in question.items if item.wave is not None}
    if len(waves) < len(question.items):
        waves = _planned(question)
    ties = _ties(question)
    return Placements(answers=[_placement(item, waves, ties.get(item.key, {})) for item in question.items])


def _planned(question: Plan) -> dict[str, int]:
    applications = [
        {
            **item.model_dump(include={"name", "environment", "criticality"}),
            "application_uid": item.key,
            "asset_uids": [f"{item.key}/{number}" for number in range(item.assets)],
            "asset_count": item.assets,
        }
        for item in question.items
    ]
    names = {item.key: item.name for item in question.items}
    dependencies = [
        {
            "source_application_uid": tie.source,
            "target_application_uid": tie.target,
            "source_name": names.get(tie.source, tie.source),
            "target_name": names.get(tie.target, tie.target),
            "kind": tie.kind,
            "observations": tie.observations,
            "evidence": "as given",
        }
        for tie in question.ties
    ]
    assessments = [
        {"application_uid": item.key, "strategy": item.strategy, "risk": item.risk} for item in question.items
    ]
    planned = plan_waves(
        _frame(applications, APPLICATIONS),
        _frame(dependencies, DEPENDENCIES),
        _frame(assessments, ASSESSMENTS),
        _frame([], ASSETS),
        question.limits,
    )
    return dict(planned.plan.select("application_uid", "wave").iter_rows())


def _frame(rows: list[dict[str, Any]], layout: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in layout} for row in rows], schema=schema_of(layout))


def _ties(question: Plan) -> dict[str, dict[str, int]]:
    """Of each application those that it is tied to, with how often."""
    ties: dict[str, dict[str, int]] = {}
    for tie in question.ties:
        for one, other in ((tie.source, tie.target), (tie.target, tie.source)):
            if one != other:
                ties.setdefault(one, {}).setdefault(other, 0)
                ties[one][other] += 1
    return ties


def _placement(item: Planned, waves: dict[str, int], ties: dict[str, int]) -> Placement:
    wave = waves.get(item.key, 0)
    moving = {other: waves[other] for other in ties if other in waves}
    apart = sorted({number for number in moving.values() if number != wave})
    if not wave:
        confidence, reason = ALL_TIES_KEPT, f"{item.name} moves in no wave: it is to {item.strategy}."
    elif not moving:
        confidence, reason = WITHOUT_TIES, f"{item.name} is tied to nothing that moves."
    else:
        kept = sum(number == wave for number in moving.values()) / len(moving)
        confidence = NO_TIE_KEPT + (ALL_TIES_KEPT - NO_TIE_KEPT) * kept
        reason = f"{kept:.0%} of the {counted(len(moving), 'application')} that {item.name} is tied to move with it"
        reason += f"; the others in wave {listed([str(number) for number in apart])}." if apart else "."
    return Placement(
        key=item.key, wave=wave, confidence=round(confidence, 3), rationale=f"{reason} {item.reason}".strip()[:2000]
    )


def impossible(question: Plan, answer: Placement) -> str | None:
    """Why an application cannot move then: there is no such wave, or no room in it."""
    placed = {each.key: each.wave for each in place(question).answers}
    if answer.wave not in placed.values():
        return f"there is no wave {answer.wave}"
    sizes = {item.key: item.assets for item in question.items}
    others = sum(sizes[key] for key, wave in placed.items() if wave == answer.wave and key != answer.key)
    if placed[answer.key] != answer.wave and others + sizes[answer.key] > question.limits.max_assets:
        return f"wave {answer.wave} would have more than {question.limits.max_assets} assets"
    return None


def neighbours_of(question: Plan, key: str) -> dict[str, Any]:
    """An application, and where those are that it is tied to."""
    items = {item.key: item for item in question.items}
    waves = {each.key: each.wave for each in place(question).answers}
    tied = sorted(_ties(question).get(key, {}).items(), key=lambda tie: (-tie[1], tie[0]))[:20]
    return {
        "application": items[key].model_dump(mode="json", exclude_defaults=True),
        "tied_to": [{"name": items[k].name, "wave": waves[k], "ties": n} for k, n in tied if k in items],
    }


def waves_there_are(question: Plan) -> dict[str, Any]:
    """How large each wave is, and how large one may be."""
    sizes: dict[int, int] = {}
    assets = {item.key: item.assets for item in question.items}
    for each in place(question).answers:
        sizes[each.wave] = sizes.get(each.wave, 0) + assets[each.key]
    return {"assets_by_wave": dict(sorted(sizes.items())), "most_assets_of_a_wave": question.limits.max_assets}
