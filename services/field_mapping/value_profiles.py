"""The sample values of a column: the numbers among them, and the share that is of a kind."""

from collections.abc import Sequence
from statistics import median

from services.field_mapping.column_names import plain
from services.field_mapping.value_patterns import Patterns, known_kinds, parse_measure, patterns
from services.field_mapping.vocabularies import EMPTY_WORDS, SPREADSHEET_ERRORS

_NO_VALUE = EMPTY_WORDS | SPREADSHEET_ERRORS


class ValueProfile:
    """The samples of a column that are values. Kinds are looked for when they are asked for, as most never are."""

    def __init__(self, samples: Sequence[str]) -> None:
        """Take up to 20 samples; placeholders such as 'N/A' are no values."""
        self.samples: list[str] = []
        self.numbers: list[float] = []
        self.units: list[str] = []
        self.bare_numbers: list[float] = []
        self._looks: list[tuple[tuple[str, ...], Patterns, str]] = []
        self._shares: dict[str, float] = {}
        for sample in samples[:20]:
            value = sample.strip()
            word = plain(value)
            if word in _NO_VALUE:
                continue
            number, unit = parse_measure(value)
            self.samples.append(value)
            self._looks.append((known_kinds(word, number, unit), patterns(number is not None), _lower(value)))
            if unit:
                self.units.append(unit)
            if number is not None:
                self.numbers.append(number)
                if unit is None:
                    self.bare_numbers.append(number)

    def share(self, *kinds: str) -> float:
        """The largest share of the samples that is of one of `kinds`; 0 without samples."""
        return max([self._share(kind) for kind in kinds], default=0.0)

    def mostly(self, kind: str) -> bool:
        """Whether at least four of five samples are of `kind`; gives up early where they are not."""
        if kind in self._shares or not self.samples:
            return self._shares.get(kind, 0.0) >= 0.8
        allowed = len(self.samples) // 5
        for known, looks_like, lower in self._looks:
            if kind not in known and not (kind in looks_like and looks_like[kind](lower)):
                allowed -= 1
                if allowed < 0:
                    return False
        return True

    @property
    def middle(self) -> float:
        """The median of the numbers, 0 without any."""
        return median(self.numbers) if self.numbers else 0.0

    def _share(self, kind: str) -> float:
        if kind not in self._shares:
            fitting = 0
            for known, looks_like, lower in self._looks:
                if kind in known or (kind in looks_like and looks_like[kind](lower)):
                    fitting += 1
            self._shares[kind] = fitting / len(self.samples) if self.samples else 0.0
        return self._shares[kind]


def _lower(value: str) -> str:
    # Letters that Python's `lower` leaves, or splits, and that patterns with `i` are to find.
    return value.lower() if value.isascii() else value.replace("İ", "i").replace("ı", "i").lower()
