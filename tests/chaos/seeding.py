"""Seeded bugs: each takes one promise away from the real code of a process, so that the checks can be checked.

A mutant patches by name and fails loudly where a name is gone; it says when its code has run, so that one that never
bit is not taken for one that was survived.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Bite = Callable[[], None]
Change = Callable[[Bite], None]


@dataclass(frozen=True)
class Mutant:
    """One seeded bug."""

    name: str
    promise: str
    apply: Change


SEEDED: dict[str, Mutant] = {}


def mutant(change: Change) -> Change:
    """Register a mutant under its function's name; its docstring says which promise it breaks."""
    name = change.__name__
    SEEDED[name] = Mutant(name, (change.__doc__ or "").strip(), change)
    return change


def patch(module: str, path: str, new: Callable[[Any], Any]) -> None:
    """Replace `module`'s `path` (a name, or `Class.name`) by what `new` makes of the original; it has to be there."""
    target: Any = importlib.import_module(module)
    *owners, name = path.split(".")
    for owner in owners:
        target = getattr(target, owner)
    setattr(target, name, new(getattr(target, name)))
