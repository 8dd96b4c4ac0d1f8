"""How near a column is in meaning to each canonical field, by word vectors, where they are installed."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from contracts.catalog import CATALOG
from contracts.discovery import ColumnProfile
from services.chassis.word_vectors import installed_word_vectors
from services.field_mapping.column_names import ColumnName

# Nearer to a field than to so many standard deviations of all fields is worth telling, or asking about.
NEAR = 2.5
_SAMPLES = 3


class Nearness:
    """Nearness to every field; `embed` turns texts into the rows of a matrix of unit vectors (NumPy)."""

    def __init__(self, embed: Callable[[list[str]], Any]) -> None:
        self._embed = embed
        self._labels = embed([field.label for field in CATALOG.values()])
        self._meanings = embed([f"{field.label}: {field.description}" for field in CATALOG.values()])

    def of(self, columns: Sequence[ColumnProfile], names: Sequence[ColumnName]) -> list[Mapping[str, float]]:
        """For each column and field by how many standard deviations it is nearer than fields are on average.

        What is compared: the words of the name, also as the lexicon spells them out, with a field's label and with its
        description, and the name and a few values with its description.
        """
        if not columns:
            return []
        said = [_words(column.name, name) for column, name in zip(columns, names, strict=True)]
        full = [f"{words}: {', '.join(column.samples[:_SAMPLES])}" for words, column in zip(said, columns, strict=True)]
        by_name, by_values = self._embed(said), self._embed(full)
        near = by_name @ self._labels.T + by_name @ self._meanings.T + by_values @ self._meanings.T
        spread = near.std(axis=1, keepdims=True)
        spread[spread == 0] = 1
        scaled = (near - near.mean(axis=1, keepdims=True)) / spread
        return [dict(zip(CATALOG, row, strict=True)) for row in scaled.tolist()]


@cache
def installed_nearness() -> Nearness | None:
    """The word vectors, loaded on first use; None where the extra is not installed."""
    embed = installed_word_vectors()
    return None if embed is None else Nearness(embed)


def _words(written: str, name: ColumnName) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", written).lower().strip()
    known = " ".join(name.ordered)
    return words if known in ("", words) else f"{words} {known}"
