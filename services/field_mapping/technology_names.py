"""What technology a text means: its canonical product and release, or nothing where that is not certain."""

import math
import re
from dataclasses import dataclass
from functools import cache, lru_cache

from services.field_mapping.technology_catalogue import technology_products
from services.field_mapping.technology_matching import Match, TechnologyMatcher
from services.field_mapping.technology_releases import release_of

# What is less likely than this is refused.
CERTAIN = 0.85
# How often the first product is right, by its score and its lead on the second: a logistic fit over cross-validated
# labelled names and texts that name no technology.
_INTERCEPT, _PER_SCORE, _PER_LEAD = -4.7, 5.6, 7.4
_EXACT = 0.98
_LEAD_THAT_COUNTS = 0.25
_NAME_IN_VERSION = re.compile("[A-Za-z]{3}")
_SEPARATOR = re.compile(r"\s*[;|]\s*|\s+\+\s+")


@dataclass(frozen=True, slots=True)
class Technology:
    """A recognised product; `confidence` is calibrated, `release` is None where the text names none or several."""

    product: str
    kind: str
    vendor: str | None
    release: str | None
    confidence: float
    reason: str

    @property
    def name(self) -> str:
        """Product and release, such as "Windows Server 2012 R2"."""
        return f"{self.product} {self.release}" if self.release else self.product


@cache
def technology_matcher() -> TechnologyMatcher:
    """The matcher over the shipped catalogue, built at first use."""
    return TechnologyMatcher(technology_products())


def confidence(ranked: list[Match]) -> float:
    """How likely the first product is the right one, 0 to 1."""
    if not ranked:
        return 0.0
    first = ranked[0]
    if first.exact and len(ranked) == 1:
        return _EXACT
    lead = min(first.score - ranked[1].score, _LEAD_THAT_COUNTS) if len(ranked) > 1 else _LEAD_THAT_COUNTS
    return 1 / (1 + math.exp(-(_INTERCEPT + _PER_SCORE * first.score + _PER_LEAD * lead)))


@lru_cache(maxsize=16384)
def recognise(text: str, version: str | None = None) -> Technology | None:
    """The technology that a text and the column of versions beside it mean; None where that is not certain.

    Some tools write the family as the name and the product as the version ("windows", "Windows Server 2012 R2"). A list
    of different products ("IIS; SQL Server") is refused: none of them is what the text means.
    """
    parts = _SEPARATOR.split(text)
    if len(parts) > 1 and len({part.product for part in map(recognise, parts) if part}) > 1:
        return None
    if version and _NAME_IN_VERSION.search(version):
        named = recognise(version)
        if named is not None:
            return named
    ranked = technology_matcher().rank(text)
    sure = confidence(ranked)
    if sure < CERTAIN:
        return None
    product, spelling = ranked[0].product, ranked[0].spelling
    release = release_of(product, text, spelling, version)
    how = "reads as" if ranked[0].exact else "comes closest to"
    named_as = f'"{text}" {how} "{spelling}"' + (f" ({product.name})" if product.name != spelling else "")
    by = f"release {release} by its numbers" if release else "no single release is named"
    return Technology(product.name, product.kind, product.vendor, release, round(sure, 3), f"{named_as}; {by}")
