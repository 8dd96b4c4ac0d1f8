"""The lexicon's phrases, indexed so that a column's name finds those it contains."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache

from services.field_mapping.column_names import phrase_words
from services.field_mapping.lexicon import FieldRule, Subject, field_rules, lexicon_data, lexicon_entries


@dataclass(frozen=True, slots=True)
class Phrase:
    """A set of words that names a field (or a reason to map to nothing), with its prior probability."""

    words: frozenset[str]
    target: str
    strength: float
    subject: Subject | None


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """Phrases of one kind of table with the rules of their fields, and those that say a column maps to nothing."""

    rules: Mapping[str, FieldRule]
    by_rarest_word: Mapping[str, tuple[Phrase, ...]]

    def matching(self, words: frozenset[str]) -> Iterator[Phrase]:
        """Every phrase whose words are all among `words`."""
        for word in words:
            for phrase in self.by_rarest_word.get(word, ()):
                if phrase.words <= words:
                    yield phrase

    def without(self, names: Set[frozenset[str]]) -> "PhraseBook":
        """The same book less the phrases that consist of exactly the words of one of `names`."""
        kept = (phrase for phrases in self.by_rarest_word.values() for phrase in phrases if phrase.words not in names)
        return PhraseBook(self.rules, _by_rarest_word(kept))


@cache
def inventory_phrases() -> PhraseBook:
    """Phrases for tables of assets and of applications."""
    return _book("fields")


@cache
def connection_phrases() -> PhraseBook:
    """Phrases for tables of observed connections."""
    return _book("connections")


@cache
def subject_words() -> Mapping[Subject, tuple[frozenset[str], ...]]:
    """Phrases in column names that tell what a table is about."""
    return {
        subject: tuple(phrase_words(phrase) for phrase in phrases)
        for subject, phrases in lexicon_data()["subjects"].items()
    }


def _book(section: str) -> PhraseBook:
    strongest: dict[tuple[frozenset[str], str, Subject | None], Phrase] = {}
    unmapped = (
        (phrase, f"unmapped.{name}", lexicon_data()["strengths"]["strong"], None)
        for name, group in lexicon_data()["unmapped"].items()
        for phrase in group["phrases"]
    )
    for text, target, strength, subject in (*lexicon_entries(section), *(unmapped if section == "fields" else ())):
        phrase = Phrase(phrase_words(text), target, strength, subject)
        key = (phrase.words, target, subject)
        if key not in strongest or strongest[key].strength < strength:
            strongest[key] = phrase
    return PhraseBook(field_rules(section), _by_rarest_word(strongest.values()))


def _by_rarest_word(phrases: Iterable[Phrase]) -> dict[str, tuple[Phrase, ...]]:
    phrases = tuple(phrases)
    frequency = Counter(word for phrase in phrases for word in phrase.words)
    index: dict[str, list[Phrase]] = defaultdict(list)
    for phrase in phrases:
        index[min(phrase.words, key=lambda word: (frequency[word], word))].append(phrase)
    return {word: tuple(found) for word, found in index.items()}
