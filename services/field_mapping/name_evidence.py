"""How likely a column's name makes each field, before its values are looked at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from services.field_mapping.column_names import ColumnName
from services.field_mapping.lexicon import FieldRule, Subject, residual, subject_limits, vocabulary
from services.field_mapping.phrase_book import Phrase, PhraseBook

_MISSPELT = 0.93
_RESTS_ON_PREFIX = 0.93
# Steps of a path before the last narrow the meaning of words such as 'name', and hardly that of 'vm size'.
_EARLIER_STEP = 0.97
_VAGUE = frozenset(
    {
        "name",
        "id",
        "type",
        "status",
        "state",
        "version",
        "model",
        "date",
        "description",
        "address",
        "number",
        "size",
        "count",
        "time",
        "key",
        "code",
        "total",
    }
)
_NOT_OF_THIS_SUBJECT = 0.3
_LATER_IN_SERIES = 0.93


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The best phrase of a field that a name contains, and the probability it gives."""

    probability: float
    phrase: Phrase


def name_matches(
    name: ColumnName, book: PhraseBook, subject: Subject | None, prefixes: frozenset[str]
) -> dict[str, NameMatch]:
    """The best match of every field (and of every reason to map to nothing) that `name` contains a phrase of.

    A phrase gives its prior probability; every word beside it lowers that, little for words that only repeat what the
    table is about, much for words such as 'limit' or 'policy' that make it a property of something else.
    """
    found: dict[str, NameMatch] = {}
    limits = subject_limits(subject)
    whole = 1.0 if limits.modifiers.isdisjoint(name.words) else residual().modifier_weight
    if name.misspelt:
        whole *= _MISSPELT
    if name.position > 1:
        whole *= _LATER_IN_SERIES
    for phrase in book.matching(name.words):
        if phrase.subject is not None and phrase.subject != subject:
            continue
        best = found.get(phrase.target)
        # What stands beside a phrase only lowers its probability.
        if best is not None and phrase.strength < best.probability:
            continue
        probability = phrase.strength * whole
        if len(name.words) > len(phrase.words):
            probability *= _left_over(name, phrase, book.rules.get(phrase.target), prefixes)
            if not phrase.words.isdisjoint(prefixes):
                probability *= _RESTS_ON_PREFIX
        if phrase.target in limits.fields:
            probability *= _NOT_OF_THIS_SUBJECT
        if best is None or (probability, len(phrase.words)) > (best.probability, len(best.phrase.words)):
            found[phrase.target] = NameMatch(probability, phrase)
    return found


def common_prefixes(names: Sequence[ColumnName]) -> frozenset[str]:
    """Words that start most names of a table, such as a vendor's or a class's name: they tell nothing apart."""
    if len(names) < 5:
        return frozenset()
    most = 0.4 * len(names)
    first = Counter(name.ordered[0] for name in names if len(name.ordered) > 1)
    if max(first.values(), default=0) < most:
        return frozenset()
    starts = Counter(name.ordered[:length] for name in names for length in range(1, len(name.ordered)))
    return frozenset(word for start, count in starts.items() if count >= most for word in start)


def values_may_speak(name: ColumnName) -> bool:
    """Whether values may suggest a field that the name does not: beside most words, but not beside 'gateway'."""
    return residual().modifiers.isdisjoint(name.words)


def says_something(name: ColumnName) -> bool:
    """Whether a name has a word that the product knows and that means more than 'server' or 'value'."""
    return not _telling_words().isdisjoint(name.words)


def _left_over(name: ColumnName, phrase: Phrase, rule: FieldRule | None, prefixes: frozenset[str]) -> float:
    weight = 1.0
    within_leaf = name.leaf is not None and phrase.words <= name.leaf and not phrase.words <= _VAGUE
    for word in name.words - phrase.words:
        beside = 0.99 if rule is not None and word in rule.neutral else _weight(word, prefixes)
        if within_leaf and word not in residual().modifiers and name.leaf is not None and word not in name.leaf:
            beside = max(beside, _EARLIER_STEP)
        weight *= beside
    return weight


def _weight(word: str, prefixes: frozenset[str]) -> float:
    if word in prefixes:
        return 1.0
    known = _known_weights().get(word)
    if known is not None:
        return known
    if len(word) == 1:
        return 0.9
    return residual().unknown_short if len(word) <= 3 else residual().unknown


@cache
def _known_weights() -> Mapping[str, float]:
    weights = residual()
    return {
        **{word: weights.other for word in vocabulary().words if len(word) > 1},
        **dict.fromkeys(weights.entity, weights.entity_weight),
        **dict.fromkeys(weights.modifiers, weights.modifier_weight),
        **dict.fromkeys(weights.neutral, 0.99),
        **weights.words,
    }


@cache
def _telling_words() -> frozenset[str]:
    known = frozenset(word for word in vocabulary().words if len(word) > 1)
    return known - residual().neutral - residual().entity
