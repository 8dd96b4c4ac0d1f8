"""Evidence into probabilities: a conditional logit over fields that something speaks for, none, and others.

The weights are fitted (`./justw fit-mapping`) on labelled exports, each looked at without the phrases that only its
own vendor supports: fitted on what the lexicon was written with, they would trust names that a new vendor does not
use. We began with hand-tuned odds, which were as often right but not calibrated; a ranker over words learnt from
labels added nothing that the lexicon did not have.
"""

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


def weights_file(with_meaning: bool) -> str:
    """The file with the weights of evidence to which nearness in meaning belongs, or does not."""
    return "evidence_weights_with_meaning.toml" if with_meaning else "evidence_weights.toml"


@cache
def fitted_weights(with_meaning: bool = False) -> Weights:
    """The weights that were fitted on labelled exports; loaded from the package on first use."""
    text = files("services.field_mapping").joinpath(weights_file(with_meaning)).read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Weights(data["field"], data["nothing"], data["unheard"])


@dataclass(frozen=True, slots=True)
class Weighed:
    """Probabilities of the fields that anything speaks for and of none; the rest to 1 is that of any other field."""

    fields: dict[str, float]
    nothing: float


def weigh(item: ColumnEvidence, weights: Weights | None = None) -> Weighed:
    """The probabilities of what a column may mean."""
    weights = weights or fitted_weights(item.near is not None)
    fields = {field: _score(evidence, weights.field) for field, evidence in item.fields.items()}
    nothing = _score(item.nothing, weights.nothing)
    unheard = _score(item.unheard, weights.unheard)
    highest = max(nothing, unheard, *fields.values())
    odds = {field: exp(score - highest) for field, score in fields.items()}
    of_nothing = exp(nothing - highest)
    total = of_nothing + exp(unheard - highest) + sum(odds.values())
    return Weighed({field: share / total for field, share in odds.items()}, of_nothing / total)


def _score(evidence: Evidence, weights: Mapping[str, float]) -> float:
    return sum([weights[kind] * amount for kind, amount in evidence.items()])
