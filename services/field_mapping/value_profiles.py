"""The sample values of a column: the numbers among them, and the share that is of a kind."""

from collections.abc import Sequence
from statistics import median

from services.field_mapping.column_names import plain
from services.field_mapping.value_patterns import has_pattern, known_kinds, parse_measure
from services.field_mapping.vocabularies import EMPTY_WORDS, SPREADSHEET_ERRORS

_NO_VALUE = EMPTY_WORDS | SPREADSHEET_ERRORS


class ValueProfile:
    """The samples of a column that are values. Kinds are looked for when they are asked for, as most never are."""

    def __init__(self, samples: Sequence[str]) -> None:
        """Take up to 20 samples; placeholders such as 'N/A' are no values."""
        self.samples = tuple(value for sample in samples[:20] if plain(value := sample.strip()) not in _NO_VALUE)
        measures = [parse_measure(value) for value in self.samples]
        self.numbers = tuple(number for number, _ in measures if number is not None)
        self.units = tuple(unit for _, unit in measures if unit)
        self.bare_numbers = tuple(number for number, unit in measures if number is not None and unit is None)
        self._known = [known_kinds(value, *measure) for value, measure in zip(self.samples, measures, strict=True)]
        self._numeric = [number is not None for number, _ in measures]
        self._shares: dict[str, float] = {}

    def share(self, *kinds: str) -> float:
        """The largest share of the samples that is of one of `kinds`; 0 without samples."""
        return max((self._share(kind) for kind in kinds), default=0.0)

    def mostly(self, kind: str) -> bool:
        """Whether at least four of five samples are of `kind`; gives up early where they are not."""
        if kind in self._shares or not self.samples:
            return self._shares.get(kind, 0.0) >= 0.8
        allowed = len(self.samples) // 5
        for index in range(len(self.samples)):
            if not self._is(index, kind):
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
            fitting = sum(1 for index in range(len(self.samples)) if self._is(index, kind))
            self._shares[kind] = fitting / len(self.samples) if self.samples else 0.0
        return self._shares[kind]

    def _is(self, index: int, kind: str) -> bool:
        return kind in self._known[index] or has_pattern(self.samples[index], kind, self._numeric[index])
