"""Figures and names in the words of people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
# Ratios that phases report; they read better as percentages.
_RATIOS = {"completeness", "validity", "uniqueness"}

_NAMES = {"six_r": "6R"}
_NOT_MOVED = "not_moved_"


def size(size_bytes: float) -> str:
    """A size in decimal units, such as 1.2 MB."""
    for unit in _UNITS[:-1]:
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} {_UNITS[-1]}"


def percent(ratio: float) -> str:
    """A ratio as a percentage that says 100 % only of everything."""
    shown = round(ratio * 100)
    return ">99%" if shown == 100 and ratio < 1 else "<1%" if shown == 0 and ratio > 0 else f"{shown}%"


def words(identifier: str) -> str:
    """A snake_case name as words."""
    return _NAMES.get(identifier) or identifier.replace("_", " ")


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 asset`, `2 assets`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def summary_of(phase: Mapping[str, Any]) -> str:
    """What a phase reports about itself, in a line."""
    parts = []
    for name, value in phase.items():
        if isinstance(value, float) and name in _RATIOS:
            parts.append(f"{percent(value)} {words(name)}")
        elif name.startswith(_NOT_MOVED):
            parts.append(f"{value:,} to {words(name.removeprefix(_NOT_MOVED))} and not moved")
        elif isinstance(value, int | float):
            shown = f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
            nouns = words(name).split()
            parts.append(" ".join([shown, *(noun.removesuffix("s") if value == 1 else noun for noun in nouns)]))
        elif value is not None:
            parts.append(f"{words(name)}: {value}")
    return ", ".join(parts)


def took(started_at: datetime | None, finished_at: datetime | None) -> str:
    """A duration such as 0.8 s or 3 min 5 s; empty while it is not known."""
    if started_at is None or finished_at is None:
        return ""
    seconds = (finished_at - started_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def moment(time: datetime) -> str:
    """A time on this machine's clock."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def waiting(waits_for: str, until: datetime | None) -> str:
    """What is waited for, and until when if that is known."""
    return f"{waits_for} until {moment(until)}" if until else waits_for


def table_name(file_name: str, sheet: str | None) -> str:
    """What people call a table: its file, and its sheet where it has one."""
    return f"{file_name} / {sheet}" if sheet else file_name
