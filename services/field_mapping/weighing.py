"""Evidence into probabilities: a conditional logit over fields that something speaks for, none, and others."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp

from services.field_mapping.evidence import ColumnEvidence, Evidence


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds a unit of each kind of evidence is worth."""

    field: Mapping[str, float]
    nothing: Mapping[str, float]
    unheard: Mapping[str, float]


@cache
def fitted_weights() -> Weights:
    """The weights that were fitted on labelled exports; loaded from the package on first use."""
    text = files("services.field_mapping").joinpath("evidence_weights.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Weights(data["field"], data["nothing"], data["unheard"])


@dataclass(frozen=True, slots=True)
class Weighed:
    """Probabilities of the fields that anything speaks for and of none; the rest to 1 is that of any other field."""

    fields: dict[str, float]
    nothing: float


def weigh(item: ColumnEvidence, weights: Weights | None = None) -> Weighed:
    """The probabilities of what a column may mean."""
    weights = weights or fitted_weights()
    fields = {field: _score(evidence, weights.field) for field, evidence in item.fields.items()}
    nothing = _score(item.nothing, weights.nothing)
    unheard = _score(item.unheard, weights.unheard)
    highest = max(nothing, unheard, *fields.values())
    total = sum(exp(score - highest) for score in (nothing, unheard, *fields.values()))
    return Weighed(
        {field: exp(score - highest) / total for field, score in fields.items()}, exp(nothing - highest) / total
    )


def _score(evidence: Evidence, weights: Mapping[str, float]) -> float:
    return sum(weights[kind] * amount for kind, amount in evidence.items() if amount)
