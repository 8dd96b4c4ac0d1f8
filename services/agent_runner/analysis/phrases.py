"""Counts and enumerations as people write them."""

from collections.abc import Sequence


def counted(count: int, thing: str) -> str:
    """A count with its noun: "1 asset", "3 assets", "2 dependencies"."""
    if count == 1:
        return f"1 {thing}"
    return f"{count:,} {thing[:-1]}ies" if thing.endswith("y") else f"{count:,} {thing}s"


def listed(items: Sequence[str], most: int = 3) -> str:
    """ "a", "a and b", "a, b, c and 4 more"; empty for nothing."""
    shown = [*items[:most], *([f"{len(items) - most:,} more"] if len(items) > most else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
