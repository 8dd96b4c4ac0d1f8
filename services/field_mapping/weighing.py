"""Evidence into probabilities: a conditional logit over the fields a column may hold and none of them."""

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


@cache
def fitted_weights() -> Weights:
    """The weights that were fitted on labelled exports; loaded from the package on first use."""
    text = files("services.field_mapping").joinpath("evidence_weights.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Weights(data["field"], data["nothing"])


def probabilities(item: ColumnEvidence, weights: Weights | None = None) -> dict[str, float]:
    """The probability of each field that anything speaks for; what is left to 1 is that of none."""
    weights = weights or fitted_weights()
    scores = {field: _score(evidence, weights.field) for field, evidence in item.fields.items()}
    none = _score(item.nothing, weights.nothing)
    highest = max([none, *scores.values()])
    total = exp(none - highest) + sum(exp(score - highest) for score in scores.values())
    return {field: exp(score - highest) / total for field, score in scores.items()}


def _score(evidence: Evidence, weights: Mapping[str, float]) -> float:
    return sum(weights[kind] * amount for kind, amount in evidence.items() if amount)
