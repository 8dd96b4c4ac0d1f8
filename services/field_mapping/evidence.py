"""What speaks for each field that a column may hold, and for none of them, as numbers that weights turn into odds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import log

from contracts.discovery import ColumnProfile
from services.field_mapping.column_names import ColumnName
from services.field_mapping.lexicon import FieldRule, Subject, residual, unmapped_reasons, vocabulary
from services.field_mapping.name_evidence import NameMatch, name_matches, says_something, values_may_speak
from services.field_mapping.nearness import NEAR
from services.field_mapping.phrase_book import PhraseBook
from services.field_mapping.value_profiles import ValueProfile

# Kind of evidence: its amount, where there is any; `evidence_weights.toml` lists the kinds.
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
_RIVAL_OF_EMPTY = ("rival", "rival_of_empty")


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
    matches = name_matches(name, book, subject, prefixes)
    refusals = {target: matches.pop(target).probability for target in matches.keys() & unmapped_reasons().keys()}
    suggested = _by_values(values) if values_speak and values.samples and values_may_speak(name) else ()
    alike = _nearest(near) - {*matches, *suggested} if near else ()
    telling = says_something(name)
    fields = {
        field: _for_field(book.rules[field], name, telling, values, matches.get(field))
        for field in sorted({*matches, *suggested, *alike})
    }
    nothing, unheard = dict[str, float](), {"unheard": 1.0}
    if telling:
        unheard["unheard_known_words"] = 1.0
    if not name.words.isdisjoint(residual().modifiers):
        nothing["qualified"] = float(min(2, len(residual().modifiers & name.words)))
    if unknown := min(3, len(name.words - vocabulary().words)):
        nothing["unknown_words"] = unheard["unheard_unknown_words"] = float(unknown)
    if not values.samples:
        nothing["nothing_empty"] = 1.0
    elif values.mostly("boolean"):
        nothing["boolean"] = unheard["unheard_boolean"] = 1.0
    refusal = max(sorted(refusals), key=lambda target: refusals[target]) if refusals else None
    if refusal:
        nothing["refused"] = unheard["unheard_refused"] = refusals[refusal]
    if near is not None:
        for field, evidence in fields.items():
            evidence |= _by_meaning(near.get(field, 0.0), match=field in matches, only=field in alike)
        nothing["meaning_of_any"] = unheard["unheard_meaning"] = max(near.values())
    return ColumnEvidence(column, name, values, fields, nothing, unheard, matches, refusal, near)


def with_rivals(found: Sequence[ColumnEvidence], probabilities: Sequence[Mapping[str, float]]) -> list[ColumnEvidence]:
    """The evidence of a table's columns when each also knows by how much another column fits a field better."""
    best: dict[str, float] = {}
    for column in probabilities:
        for field, probability in column.items():
            if probability > best.get(field, 0.0):
                best[field] = probability
    return [_with_rivals(item, own, best) for item, own in zip(found, probabilities, strict=True)]


def _with_rivals(item: ColumnEvidence, own: Mapping[str, float], best: Mapping[str, float]) -> ColumnEvidence:
    behind = {field: best[field] - probability for field, probability in own.items() if probability < best[field]}
    if not behind:
        return item
    fields = dict(item.fields)
    for field in behind.keys() & fields.keys():
        rival = {"rival": behind[field]} if item.values.samples else dict.fromkeys(_RIVAL_OF_EMPTY, behind[field])
        fields[field] = {**fields[field], **rival}
    return replace(item, fields=fields)


def _for_field(
    rule: FieldRule, name: ColumnName, telling: bool, values: ValueProfile, match: NameMatch | None
) -> dict[str, float]:
    found = {"any": 1.0}
    if match is not None:
        found |= {"named": 1.0, "name": _log_odds(match.probability)}
        if len(match.phrase.words) > 1:
            found["several_words"] = 1.0
        if name.position > 1:
            found["later_in_series"] = 1.0
    elif telling:
        found["meant_otherwise"] = 1.0
    if not values.samples:
        found["empty"] = 1.0
    else:
        share = values.share(*rule.kinds)
        found["values"] = fit = share * rule.fit + (1 - share) * rule.misfit
        if match is not None and fit > 0:
            found["values_and_name"] = fit
        if _is_wrong_type(values, rule):
            found["wrong_type"] = 1.0
    stated = name.dimension
    if stated is not None and stated == rule.dimension:
        found["unit_fits"] = 1.0
    elif stated in ("size", "frequency") or (stated == "percent" and rule.dimension is not None):
        found["unit_contradicts"] = 1.0
    return found


def _by_values(values: ValueProfile) -> list[str]:
    return [field for kind, field in _BY_VALUES_ALONE.items() if values.mostly(kind)]


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
    return any(values.mostly(kind) for kind in _ruled_out(rule.kinds))


@cache
def _ruled_out(kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(kind for kind, answered in _TELLING_KINDS.items() if answered.isdisjoint(kinds))


def _log_odds(probability: float) -> float:
    kept = min(max(probability, 0.001), 0.995)
    return log(kept / (1 - kept))
