"""What a tenant taught about columns by their names, as the matching weighs it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from services.field_mapping.column_names import plain

# What a taught field's probability becomes: a person may still have mistyped.
SETTLED = 0.99
# A field that nothing else speaks for starts here, so that what people said of another source is at least asked about.
UNHEARD = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was taught about one column name.

    `settled`: people decided, on `field`, or on nothing where that is None. `odds` of other fields are multiplied with
    theirs: 0 rejects a field, more than 1 speaks for it; `nothing` is multiplied with those of meaning none. `reason`
    is a sentence that says who taught it. `unit` is the one of its bare numbers, `unit_reason` says who taught that,
    and `unit_sure` whether it was taught of this very name: else numbers that make no sense in it refute it.
    """

    settled: bool = False
    field: str | None = None
    odds: tuple[tuple[str, float], ...] = ()
    nothing: float = 1.0
    reason: str = ""
    unit: str | None = None
    unit_reason: str = ""
    unit_sure: bool = True


@dataclass(frozen=True, slots=True)
class Taught:
    """What counts for the columns of one table, by `column_key` of their names."""

    verdicts: Mapping[str, Verdict]

    def about(self, column: str) -> Verdict:
        """What was taught about a column; nothing about most."""
        return self.verdicts.get(column_key(column), _NO_VERDICT)


_NO_VERDICT = Verdict()
NOTHING_TAUGHT = Taught({})


@lru_cache(maxsize=50_000)
def column_key(name: str) -> str:
    """A column's name without case, accents and punctuation: 'RAM_GB' and 'Ram (GB)' are 'ram gb'."""
    return " ".join(re.findall(r"[^\W_]+", plain(name))) or name.strip()


def taught_probability(probability: float | None, odds: float) -> float:
    """A field's probability, None for one that nothing spoke for, after what was taught about it (Bayes' rule)."""
    before = UNHEARD if probability is None else probability
    after = odds * before / (1 - before)
    return after / (1 + after)
