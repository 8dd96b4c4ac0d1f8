"""How alike two machine names are, by the way people and tools misspell them; numbers in names are never misspelled."""

import re
from math import log2

import polars as pl
from rapidfuzz.distance import OSA

# What each relation says, as the beginning of a sentence.
SAME, SPELLED, TYPING_ERROR, ONE_LETTER, DIFFERENT, OTHER_NUMBER, UNKNOWN = (
    "same name", "names spelled differently", "names differ by a typing error", "names differ by one letter",
    "different names", "names with different numbers", "no names to compare",
)  # fmt: skip
# Below this length one wrong letter may be another word.
_SHORTEST_FOR_TYPING_ERRORS = 5
_NUMBER = re.compile(r"\d+")
_NO_DIGITS = str.maketrans("", "", "0123456789")
_BLURRED = {"o": "", "0": "", "l": "1", "i": "1", "-": "", "_": "", ".": "", " ": ""}
_CONFUSED = {"o": "0", "l": "1", "i": "1"}


def folded_names(names: pl.Series) -> pl.Series:
    """Names without what people and tools vary: punctuation, leading zeros, "O" or "l" beside digits for 0 and 1."""
    plain = names.str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "")
    for letter, digit in _CONFUSED.items():
        plain = plain.str.replace_all(rf"{letter}(\d)", f"{digit}$1").str.replace_all(
            rf"(\d){letter}", f"${{1}}{digit}"
        )
    return plain.str.replace_all(r"(^|[a-z])0+(\d)", "$1$2")


def blurred_names(names: pl.Series) -> pl.Series:
    """Names in which all of that is alike, and some more: cheap, to find names that are worth a comparison."""
    return names.str.replace_many(list(_BLURRED), list(_BLURRED.values()))


def maybe_misspelled(one: str, other: str) -> bool:
    """Whether two blurred names are the same, or differ by letters that are swapped, missing or doubled."""
    if one == other:
        return True
    # One wrong letter is left out: to machines in rows (production, test) that happens by design.
    return OSA.distance(one, other, score_cutoff=1) == 1 and (len(one) != len(other) or sorted(one) == sorted(other))


def compare_names(one: pl.Series, other: pl.Series) -> pl.Series:
    """The relation of each pair of names."""
    folded = zip(folded_names(one), folded_names(other), strict=True)
    found = [_relation(*names, *folds) for names, folds in zip(zip(one, other, strict=True), folded, strict=True)]
    return pl.Series("relation", found, dtype=pl.String)


def _relation(one: str | None, other: str | None, folded: str | None, other_folded: str | None) -> str:
    # A name with blanks is a title that people gave a VM, and says nothing about the host name.
    if not one or not other or not folded or not other_folded or " " in one or " " in other:
        return UNKNOWN
    if one == other:
        return SAME
    if folded == other_folded:
        return SPELLED
    distance = OSA.distance(folded, other_folded, score_cutoff=1)
    if distance > 1 or _NUMBER.findall(folded) != _NUMBER.findall(other_folded):
        return OTHER_NUMBER if folded.translate(_NO_DIGITS) == other_folded.translate(_NO_DIGITS) else DIFFERENT
    if min(len(folded), len(other_folded)) < _SHORTEST_FOR_TYPING_ERRORS:
        return DIFFERENT
    substituted = len(folded) == len(other_folded) and sorted(folded) != sorted(other_folded)
    return ONE_LETTER if substituted else TYPING_ERROR


def name_bits(machines: int) -> dict[str, float]:
    """Bits of each relation among so many machines: log2(m / u), as `linkage` explains.

    m: of 100 pairs of rows of one machine about 10 spell its name differently, 10 have a typing error, 3 a wrong
    letter, 5 another name altogether and one in 200 another number. u: every other machine has a neighbour whose name
    is only spelled like it, each has one at a typing error and ten at one letter, as letters in names mean something
    (production, test). Our estimates.
    """

    def rare(m: float, neighbours: float) -> float:
        return log2(m * machines / neighbours)

    return {
        SAME: rare(0.1, 0.5), SPELLED: rare(0.1, 0.5), TYPING_ERROR: rare(0.1, 1), ONE_LETTER: rare(0.03, 10),
        DIFFERENT: log2(0.05), OTHER_NUMBER: log2(0.005), UNKNOWN: 0.0,
    }  # fmt: skip
