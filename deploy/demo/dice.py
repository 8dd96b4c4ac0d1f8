"""Seeded chance that gives the same draws on every machine and Python version."""

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of draws that depends on the seed alone.

    Everything is built on `random()`, the one method whose sequence Python guarantees across versions
    (docs.python.org/3/library/random.html, "Notes on Reproducibility").
    """

    def __init__(self, *seed: object) -> None:
        self.roll = random.Random("/".join(map(str, seed))).random

    def pick(self, choices: Sequence[T]) -> T:
        """One of `choices`, each as likely; weigh them with `spread`."""
        return choices[int(self.roll() * len(choices))]

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.roll() * (high - low + 1))

    def shuffle(self, items: list[T]) -> None:
        """Bring `items` into a random order, in place (Fisher and Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = int(self.roll() * (last + 1))
            items[last], items[other] = items[other], items[last]


def spread(weights: Mapping[T, int]) -> tuple[T, ...]:
    """Every choice as often as its weight says, so that a plain `pick` is a weighted one."""
    return tuple(choice for choice, weight in weights.items() for _ in range(weight))
