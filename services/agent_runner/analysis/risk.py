"""How risky and how much work moving an application is: two weighted sums, each from 0 to 1."""

from math import log10

from contracts.assessment import SixR
from services.agent_runner.analysis.application_facts import ApplicationFacts
from services.agent_runner.analysis.scales import PRODUCTION

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


def _share(count: int, many: int) -> float:
    return min(1.0, log10(1 + count) / log10(1 + many))
