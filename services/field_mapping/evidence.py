"""What speaks for each field that a column may hold, and for none of them, as numbers that weights turn into odds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from contracts.discovery import ColumnProfile
from services.field_mapping.column_names import ColumnName
from services.field_mapping.lexicon import FieldRule, Subject, residual, unmapped_reasons, vocabulary
from services.field_mapping.name_evidence import NameMatch, name_matches, says_something, values_may_speak
from services.field_mapping.nearness import NEAR
from services.field_mapping.phrase_book import PhraseBook
from services.field_mapping.value_profiles import ValueProfile

# Kind of evidence: its amount; see `evidence_weights.toml` for what each kind is.
Evidence = Mapping[str, float]

# Fields that values alone suggest, where they are mostly of a kind.
_BY_VALUES_ALONE: Mapping[str, str] = {
    "mac": "mac_address",
    "ip": "ip_address",
    "os_name": "operating_system",
    "cpu_model": "cpu_model",
    "migration_strategy": "migration_strategy",
    "instance_type": "instance_type",
    "cloud_region": "cloud_region",
    "uuid": "uuid",
    "environment": "environment",
    "fqdn": "fqdn",
}
# Values of these kinds rule out every field that does not expect one of the named kinds.
_TELLING_KINDS: Mapping[str, frozenset[str]] = {
    "boolean": frozenset({"virtual_flag"}),
    "date": frozenset({"date", "version"}),
    "url": frozenset(),
}


@dataclass(frozen=True, slots=True)
class ColumnEvidence:
    """All that is known about one column before it is weighed.

    `fields`: what speaks for each field that anything speaks for; `nothing`: what speaks for none; `unheard`: what
    speaks for a field that is not among them. `matches`: the name's best phrase of each field that it names. `refusal`:
    the best reason of the lexicon to map to nothing. `near`: how near in meaning each field is, where
    that is known.
    """

    column: ColumnProfile
    name: ColumnName
    values: ValueProfile
    fields: Mapping[str, Evidence]
    nothing: Evidence
    unheard: Evidence
    matches: Mapping[str, NameMatch]
    refusal: str | None
    near: Mapping[str, float] | None = None


def column_evidence(
    column: ColumnProfile,
    name: ColumnName,
    book: PhraseBook,
    subject: Subject | None,
    prefixes: frozenset[str],
    values_speak: bool,
    near: Mapping[str, float] | None = None,
) -> ColumnEvidence:
    """What a column's name and values say; `values_speak` where they may do so without the name.

    `near` has the nearness in meaning to each field (`nearness.py`), where it is known.
    """
    values = ValueProfile(column.samples)
    found = name_matches(name, book, subject, prefixes)
    refusals = {target: match.probability for target, match in found.items() if target in unmapped_reasons()}
    matches = {field: match for field, match in found.items() if field not in refusals}
    suggested = _by_values(values) if values_speak and values.samples and values_may_speak(name) else set[str]()
    alike = _nearest(near or {}) - {*matches, *suggested}
    fields = {
        field: _for_field(book.rules[field], name, values, matches.get(field))
        for field in sorted({*matches, *suggested, *alike})
    }
    refusal = max(sorted(refusals), key=lambda target: refusals[target], default=None)
    nothing = {
        "refused": refusals[refusal] if refusal else 0.0,
        "qualified": float(min(2, len(residual().modifiers & name.words))),
        "unknown_words": float(min(3, len(name.words - vocabulary().words))),
        "nothing_empty": float(not values.samples),
        "boolean": float(values.mostly("boolean")),
    }
    unheard = {
        "unheard": 1.0,
        "unheard_unknown_words": nothing["unknown_words"],
        "unheard_known_words": float(says_something(name)),
        "unheard_refused": nothing["refused"],
        "unheard_boolean": nothing["boolean"],
    }
    if near is not None:
        for field, evidence in fields.items():
            evidence |= _by_meaning(near.get(field, 0.0), match=field in matches, only=field in alike)
        nothing["meaning_of_any"] = unheard["unheard_meaning"] = max(near.values())
    return ColumnEvidence(column, name, values, fields, nothing, unheard, matches, refusal, near)


def with_rivals(found: Sequence[ColumnEvidence], probabilities: Sequence[Mapping[str, float]]) -> list[ColumnEvidence]:
    """The evidence of a table's columns when each also knows by how much another column fits a field better."""
    best: dict[str, list[float]] = {}
    for column in probabilities:
        for field, probability in column.items():
            best[field] = sorted((*best.get(field, ()), probability), reverse=True)[:2]
    return [
        ColumnEvidence(
            item.column,
            item.name,
            item.values,
            {field: _against(evidence, field, own, best) for field, evidence in item.fields.items()},
            item.nothing,
            item.unheard,
            item.matches,
            item.refusal,
            item.near,
        )
        for item, own in zip(found, probabilities, strict=True)
    ]


def _against(
    evidence: Evidence, field: str, own: Mapping[str, float], best: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    behind = max(0.0, best[field][0] - own[field]) if field in own else 0.0
    return {**evidence, "rival": behind, "rival_of_empty": behind * evidence["empty"]}


def _for_field(rule: FieldRule, name: ColumnName, values: ValueProfile, match: NameMatch | None) -> dict[str, float]:
    fit = 0.0
    if values.samples:
        share = values.share(*rule.kinds)
        fit = share * log(rule.fit) + (1 - share) * log(rule.misfit)
    stated = name.dimension in ("size", "percent", "frequency")
    contradicted = stated and rule.dimension != name.dimension
    return {
        "any": 1.0,
        "named": float(match is not None),
        "name": _log_odds(match.probability) if match else 0.0,
        "several_words": float(match is not None and len(match.phrase.words) > 1),
        "values": fit,
        "values_and_name": max(fit, 0.0) if match else 0.0,
        "wrong_type": float(bool(values.samples) and _is_wrong_type(values, rule)),
        "meant_otherwise": float(match is None and says_something(name)),
        "unit_fits": float(name.dimension is not None and name.dimension == rule.dimension),
        "unit_contradicts": float(contradicted and (rule.dimension is not None or name.dimension != "percent")),
        "empty": float(not values.samples),
        "later_in_series": float(match is not None and name.position > 1),
    }


def _by_values(values: ValueProfile) -> set[str]:
    return {field for kind, field in _BY_VALUES_ALONE.items() if values.mostly(kind)}


def _nearest(near: Mapping[str, float]) -> set[str]:
    """The two fields that are nearest in meaning, if they stand out."""
    first = sorted(near, key=lambda field: -near[field])[:2]
    return {field for field in first if near[field] >= NEAR}


def _by_meaning(near: float, match: bool, only: bool) -> dict[str, float]:
    return {"meaning": near, "meaning_unnamed": 0.0 if match else near, "meaning_only": float(only)}


def _is_wrong_type(values: ValueProfile, rule: FieldRule) -> bool:
    # Most values above 100 are no shares, whatever the name says.
    if "percentage" in rule.kinds and values.middle > 100:
        return True
    return any(answered.isdisjoint(rule.kinds) and values.mostly(kind) for kind, answered in _TELLING_KINDS.items())


def _log_odds(probability: float) -> float:
    kept = min(max(probability, 0.001), 0.995)
    return log(kept / (1 - kept))
