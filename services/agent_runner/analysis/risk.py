"""How risky and how much work moving an application is: two weighted sums, each from 0 to 1, and what drives them."""

from collections.abc import Callable
from math import log10

from contracts.assessment import RiskLevel, SixR
from services.agent_runner.analysis.application_facts import ApplicationFacts
from services.agent_runner.analysis.phrases import listed
from services.agent_runner.analysis.scales import HIGH, PRODUCTION

# Half of the way from no risk to all there is, and where the parts that alone are harmless cannot lead.
MEDIUM_RISK, HIGH_RISK = 0.35, 0.6
# A figure that stands on none of its facts says nothing; one that stands on all of them is still a model of ours.
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.3, 0.9
MANY_NEIGHBOURS = 8
_WEIGHED = ("criticality", "environment", "dependencies", "data classification", "operating system")

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
# How much a treatment changes: the order is that of AWS's 7 Rs and Azure's CAF, the figures are ours.
_CHANGE: dict[SixR, float] = {
    "retire": 0.0,
    "retain": 0.0,
    "rehost": 0.25,
    "repurchase": 0.5,
    "replatform": 0.55,
    "refactor": 1.0,
}
# What is not known counts as middling, so that missing data makes nothing look safe.
_UNKNOWN = 0.5
_MANY_NEIGHBOURS = 20
_MANY_ASSETS = 50


def risk_of(facts: ApplicationFacts, treatment: SixR) -> float:
    """What a failed move could cost, 0 to 1.

    0.30 criticality + 0.20 environment + 0.20 dependencies + 0.10 sensitivity of data + 0.10 share of unsupported or
    unknown operating systems + 0.10 change by the treatment. Environment counts its rank (production 1, sandbox 0),
    dependencies log(1 + neighbours) / log(1 + 20), at most 1.
    """
    criticality = _UNKNOWN if facts.criticality_level is None else facts.criticality_level
    environment = _UNKNOWN if facts.environment_rank is None else facts.environment_rank / PRODUCTION
    sensitivity = _UNKNOWN if facts.sensitivity is None else facts.sensitivity
    systems = len(facts.operating_systems) + bool(facts.unknown_systems)
    doubtful = (len(facts.unsupported) + bool(facts.unknown_systems)) / systems if systems else _UNKNOWN
    parts = 0.30 * criticality + 0.20 * environment + 0.20 * _share(facts.neighbours, _MANY_NEIGHBOURS)
    return round(parts + 0.10 * sensitivity + 0.10 * doubtful + 0.10 * _CHANGE[treatment], 3)


def complexity_of(facts: ApplicationFacts, treatment: SixR) -> float:
    """How much work a move is, 0 to 1.

    0.25 size, log(1 + assets) / log(1 + 50) + 0.25 dependencies as for the risk + 0.20 variety of platforms (each
    operating system beyond the first counts a quarter) + 0.10 databases (each engine a half) + 0.20 change by the
    treatment; every part at most 1.
    """
    variety = min(1.0, max(0, len(facts.operating_systems) - 1) / 4)
    databases = min(1.0, len(facts.engines) / 2)
    parts = 0.25 * _share(facts.live, _MANY_ASSETS) + 0.25 * _share(facts.neighbours, _MANY_NEIGHBOURS)
    return round(parts + 0.20 * variety + 0.10 * databases + 0.20 * _CHANGE[treatment], 3)


def level_of(risk: float) -> RiskLevel:
    """A risk as people say it."""
    return "high" if risk >= HIGH_RISK else "medium" if risk >= MEDIUM_RISK else "low"


def risk_confidence(facts: ApplicationFacts) -> float:
    """How sure the figure is: it rises with the share of its facts that are known."""
    share = sum(facts.known[fact] for fact in _WEIGHED) / len(_WEIGHED)
    return round(LEAST_CONFIDENCE + (MOST_CONFIDENCE - LEAST_CONFIDENCE) * share, 3)


def drivers_of(facts: ApplicationFacts) -> list[tuple[str, str]]:
    """What makes a move risky, each with what helps."""
    return [(driver, help_) for holds, driver, help_ in _DRIVERS if holds(facts)]


def risk_reason(facts: ApplicationFacts) -> str:
    """Why it is so, and what helps, in a few sentences that name nobody."""
    drivers = drivers_of(facts)
    told = listed([driver for driver, _ in drivers], 6) or "nothing known speaks against moving it"
    sentences = [f"{told[:1].upper()}{told[1:]}.", *(help_ for _, help_ in drivers)]
    if unknown := [fact for fact in _WEIGHED if not facts.known[fact]]:
        sentences.append(f"Not known: {', '.join(unknown)}.")
    return " ".join(sentences)


def _share(count: int, many: int) -> float:
    return min(1.0, log10(1 + count) / log10(1 + many))
