"""What a column means: its name, its values and the table around it, weighed into one probability per field."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.discovery import ColumnMapping, ColumnProfile, MappingStatus, TableMapping, TableProfile
from services.field_mapping.column_names import ColumnName, read_name
from services.field_mapping.lexicon import OPEN_RULE, FieldRule, Subject, unmapped_reasons
from services.field_mapping.mapping_reasons import mapped_reason, unmapped_reason
from services.field_mapping.name_evidence import NameMatch, common_prefixes, name_matches, trust_in_values
from services.field_mapping.phrase_book import PhraseBook, connection_phrases, inventory_phrases
from services.field_mapping.source_units import source_unit
from services.field_mapping.table_kind import table_subject
from services.field_mapping.taught import NOTHING_TAUGHT, SETTLED, Taught, Verdict, taught_probability
from services.field_mapping.value_profiles import ValueProfile

ACCEPT_AT = 0.8
REVIEW_AT = 0.5

# Odds that evidence other than the values multiplies; tuned on labelled exports, like the lexicon's.
_EMPTY = 0.6
_UNIT_FITS = 3.0
_UNIT_CONTRADICTS = 0.03
_WRONG_TYPE = 0.05
_RIVAL = 0.85
_EMPTY_RIVAL = 0.55

# What values alone suggest where the name says nothing: kind of value, field, probability.
_BY_VALUES_ALONE: tuple[tuple[str, str, float], ...] = (
    ("mac", "mac_address", 0.7),
    ("ip", "ip_address", 0.6),
    ("os_name", "operating_system", 0.6),
    ("cpu_model", "cpu_model", 0.6),
    ("migration_strategy", "migration_strategy", 0.6),
    ("instance_type", "instance_type", 0.6),
    ("cloud_region", "cloud_region", 0.6),
    ("uuid", "uuid", 0.45),
    ("environment", "environment", 0.55),
    ("fqdn", "fqdn", 0.5),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A field a column may hold, its probability, and the name match behind it, if a name is."""

    field: str
    probability: float
    match: NameMatch | None
    named_exactly: bool = False


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything found out about one column."""

    column: ColumnProfile
    name: ColumnName
    values: ValueProfile
    ranked: tuple[Candidate, ...]
    refusal: str | None
    said: Verdict


def propose(table: TableProfile, taught: Taught = NOTHING_TAUGHT) -> TableMapping:
    """Propose a field for every column of a table, or none, with a probability and a reason.

    `taught` is what the tenant's people said about columns of these names: what they settled is not asked again.
    """
    names = [read_name(column.name) for column in table.columns]
    prefixes = common_prefixes(names)
    if table.kind == "connections":
        subject, book = None, connection_phrases()
    else:
        subject, book = table_subject(table, names), inventory_phrases()
    assessed = [
        _assess(column, name, book, subject, prefixes, taught.about(column.name))
        for column, name in zip(table.columns, names, strict=True)
    ]
    best: dict[str, float] = {}
    for item in assessed:
        if item.ranked and item.refusal is None:
            best[item.ranked[0].field] = max(item.ranked[0].probability, best.get(item.ranked[0].field, 0.0))
    neighbours = [name.unit for name in names if name.unit and name.dimension == "size"]
    return TableMapping(
        table_id=table.table_id,
        file_name=table.file_name,
        sheet=table.sheet,
        kind=table.kind,
        columns=[_mapping(item, best, book, neighbours, subject) for item in assessed],
    )


def _assess(
    column: ColumnProfile,
    name: ColumnName,
    book: PhraseBook,
    subject: Subject | None,
    prefixes: frozenset[str],
    said: Verdict,
) -> Assessment:
    values = ValueProfile(column.samples)
    matches = name_matches(name, book, subject, prefixes)
    refusals = {target: match for target, match in matches.items() if target in unmapped_reasons()}
    candidates = {
        field: Candidate(
            field,
            _after_values(match.probability, name, values, book.rules[field]),
            match,
            named_exactly=match.phrase.words == name.words,
        )
        for field, match in matches.items()
        if field not in refusals
    }
    if book is inventory_phrases() and values.samples and trust_in_values(name):
        _add_by_values(candidates, values, trust_in_values(name))
    candidates = _as_taught(candidates, said)
    ranked = tuple(sorted(candidates.values(), key=lambda candidate: (-candidate.probability, candidate.field)))
    return Assessment(column, name, values, ranked, None if said.settled else _refusal(ranked, refusals), said)


def _as_taught(candidates: dict[str, Candidate], said: Verdict) -> dict[str, Candidate]:
    """The candidates after what people said: a settled field alone, a rejected one not at all, others by their odds."""
    if said.settled:
        return {} if said.field is None else {said.field: Candidate(said.field, SETTLED, None)}
    weighed = dict(candidates)
    for field, odds in said.odds:
        known = weighed.pop(field, None)
        if odds > 0:
            probability = taught_probability(known.probability if known else None, odds)
            weighed[field] = Candidate(field, probability, known.match if known else None)
    return weighed


def _refusal(ranked: Sequence[Candidate], refusals: dict[str, NameMatch]) -> str | None:
    """The reason to map to nothing that says more about the name than the best field does."""
    if not refusals:
        return None
    target = max(sorted(refusals), key=lambda refused: refusals[refused].probability)
    by_name = ranked[0].match.probability if ranked and ranked[0].match else 0.0
    return target if refusals[target].probability >= max(by_name, REVIEW_AT) else None


def _after_values(probability: float, name: ColumnName, values: ValueProfile, rule: FieldRule) -> float:
    """The probability after the values and the stated unit (Bayes' rule in odds)."""
    odds = probability / (1 - probability)
    if name.dimension in ("size", "percent", "frequency") and rule.dimension != name.dimension:
        odds *= _UNIT_CONTRADICTS if rule.dimension or name.dimension != "percent" else 1.0
    elif name.dimension is not None and name.dimension == rule.dimension:
        odds *= _UNIT_FITS
    if not values.samples:
        odds *= _EMPTY
    else:
        share = values.share(*rule.kinds)
        odds *= rule.fit**share * rule.misfit ** (1 - share)
        odds *= _wrong_type(values, rule)
    return odds / (1 + odds)


def _wrong_type(values: ValueProfile, rule: FieldRule) -> float:
    for kind in ("boolean", "date", "url"):
        answered = {"boolean": {"virtual_flag"}, "date": {"date", "version"}, "url": set[str]()}[kind]
        if answered.isdisjoint(rule.kinds) and values.mostly(kind):
            return _WRONG_TYPE
    return 1.0


def _add_by_values(candidates: dict[str, Candidate], values: ValueProfile, trust: float) -> None:
    for kind, field, prior in _BY_VALUES_ALONE:
        known = candidates.get(field)
        if (known is None or known.probability < prior * trust) and values.mostly(kind):
            candidates[field] = Candidate(field, prior * values.share(kind) * trust, None)


def _mapping(
    item: Assessment, best: dict[str, float], book: PhraseBook, neighbours: Sequence[str], subject: Subject | None
) -> ColumnMapping:
    others = [candidate.field for candidate in item.ranked if candidate.probability >= 0.1]
    probability, close, rival = _confidence(item.ranked, best, empty=not item.values.samples)
    if item.refusal is not None or probability < REVIEW_AT:
        refused = unmapped_reasons().get(item.refusal or "")
        reason = item.said.reason or unmapped_reason(item.column, item.values, refused, others[:1], rival)
        return ColumnMapping(
            column=item.column.name,
            field=None,
            confidence=min(probability, REVIEW_AT - 0.01),
            status="unmapped",
            reason=reason,
            alternatives=others[:3],
        )
    top = item.ranked[0]
    rule = book.rules.get(top.field, OPEN_RULE)
    unit = source_unit(top.field, rule.dimension, item.name, item.values, neighbours, subject)
    status: MappingStatus = "accepted" if probability >= ACCEPT_AT else "review"
    reason = (
        ""
        if item.said.settled
        else mapped_reason(item.column, item.values, top.field, rule, top.match, unit, close, rival)
    )
    return ColumnMapping(
        column=item.column.name,
        field=top.field,
        confidence=probability,
        status=status,
        unit=unit.unit if unit else None,
        reason=f"{reason} {item.said.reason}".strip(),
        alternatives=[field for field in others if field != top.field][:3],
    )


def _confidence(ranked: Sequence[Candidate], best: dict[str, float], empty: bool) -> tuple[float, str | None, bool]:
    """The best candidate's probability, lowered when a second field is as likely or another column fits it better."""
    if not ranked:
        return 0.0, None, False
    top = ranked[0]
    probability = top.probability
    close = next((other.field for other in ranked[1:2] if other.probability > 0.92 * top.probability), None)
    if close is not None:
        probability *= 0.95
    rival = best.get(top.field, 0.0) - top.probability > 0.05
    if rival:
        # A column whose whole name is a field's stays in sight of the person who reviews.
        stays = top.named_exactly and probability >= REVIEW_AT and not empty
        probability = (
            max(probability * _RIVAL, REVIEW_AT) if stays else probability * (_EMPTY_RIVAL if empty else _RIVAL)
        )
    return round(min(probability, 0.99), 3), close, rival
