"""Which products of a catalogue a text can mean, the likeliest first: by the spelling and by the words."""

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from rapidfuzz.distance import JaroWinkler

from services.field_mapping.technology_catalogue import CONCEPT, Product
from services.field_mapping.technology_words import is_number, spelled_out, stands_beside, without_kind, words

# What each piece of evidence counts for, fitted by a conditional logit over labelled names (`./justw bench
# technologies` measures it). Of two products, the one with the higher sum is the likelier by exp(10 x difference).
SPELLING, WORDS, SHARE, NEIGHBOURS, VOCABULARY, INITIALS, WITHOUT_BRACKETS = (
    0.365,
    0.435,
    0.235,
    0.33,
    0.15,
    0.52,
    -0.23,
)
_CANDIDATES, _NEIGHBOURS = 30, 12
_ONLY_INITIALS = 0.3
_SIMILAR_WORD = 0.88  # Jaro-Winkler: "Micorsoft" is "Microsoft", "Oracle" is not "Orange"
_NUMBER_WEIGHT = 0.8
_UNKNOWN_WEIGHT = 0.8
_BRACKETS = re.compile(r"\([^()]*\)")


@dataclass(frozen=True, slots=True)
class Match:
    """A product, the spelling of it that fits best, and how well.

    `exact` says that the text is the spelling with nothing but a version, an edition or the vendor beside it.
    """

    product: Product
    spelling: str
    score: float
    exact: bool


@dataclass(frozen=True, slots=True)
class _Spelling:
    product: int
    text: str
    words: tuple[str, ...]
    weight: float
    compact: str
    initials: str


class TechnologyMatcher:
    """Compares texts with all spellings of some products; building it costs some 0.1 s, `rank` less than 5 ms."""

    def __init__(self, products: Iterable[Product]) -> None:
        self._products = tuple(products)
        spelled = [
            (number, text, spelled_out(words(text)))
            for number, product in enumerate(self._products)
            for text in product.spellings
        ]
        self._vendors = {product.vendor.lower() for product in self._products if product.vendor}
        self._vocabulary: dict[int, set[str]] = defaultdict(set)
        uses: dict[str, Counter[int]] = defaultdict(Counter)
        for number, _, written in spelled:
            self._vocabulary[number].update(written)
            uses.update({word: uses[word] + Counter({number: 1}) for word in set(written)})
        self._rarest = math.log(1 + len(self._products))
        self._weights = {word: math.log(1 + len(self._products) / len(used)) for word, used in uses.items()}
        self._shares = {
            word: {number: count / used.total() for number, count in used.items()} for word, used in uses.items()
        }
        self._spellings = [
            _Spelling(number, text, written, sum(map(self._weight, written)), "".join(written), _initials(written))
            for number, text, written in spelled
            if written
        ]
        self._index_spellings()

    def _index_spellings(self) -> None:
        self._by_compact: dict[str, list[int]] = defaultdict(list)
        self._by_initials: dict[str, list[int]] = defaultdict(list)
        in_products: dict[str, set[int]] = defaultdict(set)
        for index, spelling in enumerate(self._spellings):
            for compact in {spelling.compact, "".join(words(spelling.text))}:
                self._by_compact[compact].append(index)
            if spelling.initials:
                self._by_initials[spelling.initials].append(index)
            for gram in _grams(spelling.compact):
                in_products[gram].add(spelling.product)
        self._gram_weights = {
            gram: math.log(1 + len(self._products) / len(found)) for gram, found in in_products.items()
        }
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for index, spelling in enumerate(self._spellings):
            counts = {
                gram: self._gram_weights[gram] * (1 + math.log(count))
                for gram, count in Counter(_grams(spelling.compact)).items()
            }
            length = math.sqrt(sum(value * value for value in counts.values()))
            for gram, value in counts.items():
                self._postings[gram].append((index, value / length))

    def rank(self, text: str) -> list[Match]:
        """The products that the text can mean, best first; none where it has no word of a name."""
        written = words(text)
        exact = self._exact(written)
        if len(exact) == 1 or all(is_number(word) or stands_beside(word) for word in written):
            return exact
        of_vendor = not self._vendors.isdisjoint(spelled_out(written))
        best: dict[int, Match] = {}
        for penalty, variant in self._variants(text):
            for index, score in self._scores(spelled_out(words(variant))):
                spelling = self._spellings[index]
                known = best.get(spelling.product)
                if known is None or score + penalty > known.score:
                    product = self._products[spelling.product]
                    if of_vendor and product.kind == CONCEPT:
                        continue  # "Microsoft Proxy Server" is a product
                    is_exact = any(product is match.product for match in exact)
                    best[spelling.product] = Match(product, spelling.text, score + penalty, is_exact)
        return sorted(best.values(), key=lambda match: (-match.score, match.product.name))

    @staticmethod
    def _variants(text: str) -> Iterator[tuple[float, str]]:
        yield 0.0, text
        outer = _BRACKETS.sub(" ", text).strip()
        if outer and outer != text:
            yield WITHOUT_BRACKETS, outer

    def _exact(self, written: tuple[str, ...]) -> list[Match]:
        """The products named by these words, without as few versions, editions and vendors as it takes."""
        for tried, vendor in _without_versions(written, self._vendors):
            compacts = ("".join(tried), "".join(spelled_out(tried)))
            found = [self._spellings[index] for compact in compacts for index in self._by_compact.get(compact, ())]
            if len(tried) < len(written):
                # A word of the trade has no versions, editions or vendors: "Operating System/2" is a product.
                found = [spelling for spelling in found if self._products[spelling.product].kind != CONCEPT]
            first = {spelling.product: spelling.text for spelling in reversed(found)}
            matches = [Match(self._products[number], text, 1.0, True) for number, text in first.items()]
            matches = [match for match in matches if vendor in (None, (match.product.vendor or "").lower())]
            if matches:
                return matches
        return []

    def _scores(self, written: tuple[str, ...]) -> Iterator[tuple[int, float]]:
        """Spelling and score of each spelling that the words come close to."""
        compact, initials = "".join(written), _initials(written)
        if not compact:
            return
        spelled = self._similar_spellings(compact)
        for index in self._by_compact.get(compact, ()):
            spelled[index] = 1.0
        abbreviated = set(self._by_initials.get(compact, ()) if len(written) == 1 and 2 < len(compact) < 7 else ())
        abbreviated.update(self._by_compact.get(initials, ()) if initials else ())
        for index in abbreviated:
            spelled.setdefault(index, _ONLY_INITIALS)
        total = sum(map(self._weight, written))
        shares: dict[int, float] = defaultdict(float)
        for word in written:
            for number, share in self._shares.get(word, {}).items():
                shares[number] += self._weight(word) * share / total
        near: dict[int, float] = defaultdict(float)
        for index, similarity in heapq.nlargest(_NEIGHBOURS, spelled.items(), key=lambda item: item[1]):
            near[self._spellings[index].product] += similarity**2
        all_near = sum(near.values()) or 1.0
        for index, similarity in spelled.items():
            spelling = self._spellings[index]
            vocabulary = self._vocabulary[spelling.product]
            score = (
                SPELLING * similarity
                + WORDS * self._overlap(written, spelling, total)
                + SHARE * shares[spelling.product]
                + NEIGHBOURS * near[spelling.product] / all_near
                + VOCABULARY * sum(self._weight(word) for word in written if word in vocabulary) / total
                + INITIALS * (index in abbreviated and spelling.compact != compact)
            )
            yield index, score

    def _similar_spellings(self, compact: str) -> dict[int, float]:
        """Cosine of weighted trigrams with the spellings that come closest."""
        weights: dict[str, float] = defaultdict(float)
        for gram in _grams(compact):
            weights[gram] += self._gram_weights.get(gram, self._rarest)
        found: dict[int, float] = defaultdict(float)
        for gram, weight in weights.items():
            for index, value in self._postings.get(gram, ()):
                found[index] += weight * value
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        nearest = heapq.nlargest(_CANDIDATES, found.items(), key=lambda item: item[1])
        return {index: value / length for index, value in nearest}

    def _overlap(self, written: tuple[str, ...], spelling: _Spelling, total: float) -> float:
        """The weight of the words that both have, as a part of the text times as a part of the spelling."""
        in_text = in_spelling = 0.0
        for word in written:
            other, likeness = _most_similar(word, spelling.words)
            in_text += likeness * self._weight(word)
            in_spelling += likeness * self._weight(other)
        return in_text / total * min(1.0, in_spelling / spelling.weight)

    def _weight(self, word: str) -> float:
        if is_number(word):
            return _NUMBER_WEIGHT
        return self._weights.get(word, _UNKNOWN_WEIGHT * self._rarest)


def _most_similar(word: str, others: tuple[str, ...]) -> tuple[str, float]:
    if word in others:
        return word, 1.0
    best, likeness = word, 0.0
    if len(word) > 3 and not is_number(word):
        for other in others:
            if len(other) > 3 and other[0] == word[0]:
                found = JaroWinkler.similarity(word, other, score_cutoff=_SIMILAR_WORD)
                if found > likeness:
                    best, likeness = other, found
    return best, 0.9 * likeness


def _without_versions(
    written: tuple[str, ...], vendors: Collection[str]
) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """The words without ever more numbers from the right on, each also without editions, kinds and a vendor.

    The vendor that was left out stands beside the words.
    """
    numbers = [position for position, word in enumerate(written) if is_number(word)]
    vendor = spelled_out(written[:1])[0] if written else ""
    for count in range(len(numbers) + 1):
        left = tuple(word for at, word in enumerate(written) if at not in numbers[len(numbers) - count :])
        plain = tuple(word for word in left if not stands_beside(word))
        bare = without_kind(plain)
        yield from ((tried, None) for tried in (left, plain, bare))
        if vendor in vendors:
            yield from ((tried[1:], vendor) for tried in (left, plain, bare) if tried[:1] == written[:1])


def _initials(written: tuple[str, ...]) -> str:
    """The first letters of at least three words."""
    return "".join(word[0] for word in written if not is_number(word)) if len(written) > 2 else ""


def _grams(compact: str) -> list[str]:
    edged = f"^{compact}$"
    return [edged[start : start + 3] for start in range(len(edged) - 2)]
