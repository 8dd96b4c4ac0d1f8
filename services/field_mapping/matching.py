"""What a column means: its name, its values and the table around it, weighed into one probability per field."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.catalog import units_of
from contracts.discovery import ColumnMapping, MappingStatus, TableMapping, TableProfile
from services.field_mapping.column_names import read_name
from services.field_mapping.evidence import ColumnEvidence, column_evidence, with_rivals
from services.field_mapping.lexicon import OPEN_RULE, Subject, unmapped_reasons
from services.field_mapping.mapping_reasons import mapped_reason, unmapped_reason, values_told
from services.field_mapping.name_evidence import common_prefixes
from services.field_mapping.nearness import NEAR, Nearness
from services.field_mapping.phrase_book import PhraseBook, connection_phrases, inventory_phrases
from services.field_mapping.source_units import SourceUnit, may_be, source_unit
from services.field_mapping.table_kind import table_subject
from services.field_mapping.taught import NOTHING_TAUGHT, SETTLED, Taught, Verdict, taught_probability
from services.field_mapping.weighing import Weighed, Weights, weigh

# The least probability at which proposals of other vendors' files were right in 98 of 100 cases, those of no field too.
ACCEPT_AT = 0.85
ACCEPT_BY_MEANING_AT = 0.9
# Alternatives less likely than this only distract the person who reviews.
_WORTH_NAMING = 0.03
_CLOSE = 0.5
_RIVAL = 0.2


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one column may mean: probabilities by field, the best first, and of nothing."""

    evidence: ColumnEvidence
    ranked: tuple[tuple[str, float], ...]
    nothing: float
    said: Verdict


def propose(
    table: TableProfile,
    taught: Taught = NOTHING_TAUGHT,
    phrases: PhraseBook | None = None,
    weights: Weights | None = None,
    nearness: Nearness | None = None,
) -> TableMapping:
    """Propose a field for every column of a table, or none, with the probability that this is right and a reason.

    `taught` is what the tenant's people said about columns of these names: what they settled is not asked again.
    `phrases` and `weights` replace the product's own, to measure it on what it was not made with. `nearness` adds what
    columns are like in meaning.
    """
    subject, book, evidence = table_evidence(table, phrases, nearness)
    said = [taught.about(column.name) for column in table.columns]
    alone = [_as_taught(weigh(item, weights), verdict) for item, verdict in zip(evidence, said, strict=True)]
    beside = with_rivals(evidence, [weighed.fields for weighed in alone])
    assessed = [
        _assessed(item, first if item is before else _as_taught(weigh(item, weights), verdict), verdict)
        for item, before, first, verdict in zip(beside, evidence, alone, said, strict=True)
    ]
    neighbours = [item.name.unit for item in evidence if item.name.unit and item.name.dimension == "size"]
    return TableMapping(
        table_id=table.table_id,
        file_name=table.file_name,
        sheet=table.sheet,
        kind=table.kind,
        columns=[_mapping(item, book, neighbours, subject) for item in assessed],
    )


def table_evidence(
    table: TableProfile, phrases: PhraseBook | None = None, nearness: Nearness | None = None
) -> tuple[Subject | None, PhraseBook, list[ColumnEvidence]]:
    """What a table is about, the phrases that were looked for, and the evidence of each column on its own.

    `phrases` replaces the product's for inventories and application lists.
    """
    names = [read_name(column.name) for column in table.columns]
    prefixes = common_prefixes(names)
    inventory = table.kind != "connections"
    subject = table_subject(table, names) if inventory else None
    book = (phrases or inventory_phrases()) if inventory else connection_phrases()
    near = nearness.of(table.columns, names) if nearness and inventory else [None] * len(names)
    return (
        subject,
        book,
        [
            column_evidence(column, name, book, subject, prefixes, values_speak=inventory, near=meanings)
            for column, name, meanings in zip(table.columns, names, near, strict=True)
        ],
    )


def _assessed(evidence: ColumnEvidence, weighed: Weighed, said: Verdict) -> Assessment:
    ranked = tuple(sorted(weighed.fields.items(), key=lambda candidate: (-candidate[1], candidate[0])))
    return Assessment(evidence, ranked, weighed.nothing, said)


def _as_taught(weighed: Weighed, said: Verdict) -> Weighed:
    """Probabilities after what people said: a settled field alone, a rejected one not at all, others by their odds."""
    if said.settled:
        return Weighed({}, SETTLED) if said.field is None else Weighed({said.field: SETTLED}, 1 - SETTLED)
    if said.nothing != 1:
        nothing = taught_probability(weighed.nothing, said.nothing)
        left = (1 - nothing) / (1 - weighed.nothing)
        weighed = Weighed({field: likely * left for field, likely in weighed.fields.items()}, nothing)
    if not said.odds:
        return weighed
    kept = dict(weighed.fields)
    for field, odds in said.odds:
        known = kept.pop(field, None)
        if odds > 0:
            kept[field] = taught_probability(known, odds)
    # What a rejected field leaves goes to none of them, and what a taught one takes comes from there.
    return Weighed(kept, max(0.0, weighed.nothing + sum(weighed.fields.values()) - sum(kept.values())))


def _mapping(item: Assessment, book: PhraseBook, neighbours: Sequence[str], subject: Subject | None) -> ColumnMapping:
    field, probability = item.ranked[0] if item.ranked else ("", 0.0)
    named = [other for other, likely in item.ranked if likely >= _WORTH_NAMING][:4]
    column, values = item.evidence.column, item.evidence.values
    rival = item.evidence.fields.get(field, {}).get("rival", 0.0) >= _RIVAL
    least = accept_at(item.evidence.near is not None)
    if probability <= item.nothing:
        refused = unmapped_reasons().get(item.evidence.refusal or "")
        reason = item.said.reason or unmapped_reason(column, values, refused, named[:1], rival)
        # Of a column without values a person knows no more, and loses nothing.
        doubtful = item.nothing < least and bool(values.samples)
        return ColumnMapping(
            column=column.name,
            field=None,
            confidence=_confidence(item.nothing),
            status="review" if doubtful else "unmapped",
            reason=f"{reason} {values_told(values)}" if doubtful else reason,
            alternatives=named[:3],
        )
    rule = book.rules.get(field, OPEN_RULE)
    unit = source_unit(field, rule.dimension, item.evidence.name, values, neighbours, subject)
    said_unit = item.said.unit if item.said.unit and item.said.unit in units_of(field) else None
    if said_unit is not None and not item.said.unit_sure and not may_be(field, said_unit, values.bare_numbers):
        said_unit = None
    if said_unit is not None:
        unit = SourceUnit(said_unit, f"its bare numbers are in {said_unit}")
    status: MappingStatus = "accepted" if probability >= least else "review"
    close = next((other for other, likely in item.ranked[1:2] if likely > _CLOSE * probability), None)
    match = item.evidence.matches.get(field)
    near = item.evidence.near is not None and item.evidence.near.get(field, 0.0) >= NEAR
    reason = "" if item.said.settled else mapped_reason(column, values, field, rule, match, unit, close, rival, near)
    return ColumnMapping(
        column=column.name,
        field=field,
        confidence=_confidence(probability),
        status=status,
        unit=unit.unit if unit else None,
        reason=" ".join(filter(None, (reason, item.said.reason, item.said.unit_reason if said_unit else ""))),
        alternatives=named[1:],
    )


def accept_at(with_meaning: bool) -> float:
    """The least probability at which nobody needs to look, with nearness in meaning among the evidence or without."""
    return ACCEPT_BY_MEANING_AT if with_meaning else ACCEPT_AT


def _confidence(probability: float) -> float:
    # Nothing is certain: a calibrated 1.0 would claim that no such proposal was ever wrong.
    return round(min(probability, 0.99), 3)
