"""The unit of the bare numbers of a size, speed or duration column: from its name, its values or its neighbours."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from services.field_mapping.column_names import DIMENSIONS, UNITS, ColumnName
from services.field_mapping.lexicon import Subject
from services.field_mapping.units import FACTORS
from services.field_mapping.value_profiles import ValueProfile

_FRENCH_UNITS = {"ko": "KB", "mo": "MB", "go": "GB", "to": "TB"}
# What units are called in a sentence.
SPOKEN = {
    "bytes": "bytes", "KB": "kilobytes", "MB": "megabytes", "MiB": "mebibytes", "GB": "gigabytes", "GiB": "gibibytes",
    "TB": "terabytes", "TiB": "tebibytes", "MHz": "megahertz", "GHz": "gigahertz",
    "seconds": "seconds", "minutes": "minutes", "hours": "hours", "days": "days",
}  # fmt: skip
_MEMORY = frozenset({"memory_gb", "memory_used_gb"})
# What the middle machine of an export has; wide, as this only tells units apart that differ a thousandfold.
_USUAL = {
    "memory_gb": ("GB", 0.25, 12_288.0),
    "storage_gb": ("GB", 2.0, 1_048_576.0),
    "cpu_speed_mhz": ("MHz", 100.0, 10_000.0),
}


@dataclass(frozen=True, slots=True)
class SourceUnit:
    """A unit and where it is known from, as the end of a sentence."""

    unit: str
    because: str


def source_unit(
    field: str,
    dimension: str | None,
    name: ColumnName,
    values: ValueProfile,
    neighbours: Sequence[str],
    subject: Subject | None,
) -> SourceUnit | None:
    """The unit that a bare number of the column has; None for fields that are not a size, speed or duration.

    `neighbours` are the size units that other columns of the table state in their names.
    """
    if dimension not in ("size", "frequency", "duration"):
        return None
    if name.unit is not None and name.dimension == dimension and name.unit != "Hz":
        return SourceUnit(name.unit, f"its name states {SPOKEN[name.unit]}")
    stated = Counter(
        unit for text in values.units if (unit := _known_unit(text)) and DIMENSIONS[unit] == dimension and unit != "Hz"
    )
    for unit, _ in stated.most_common(1):
        if may_be(field, unit, values.bare_numbers):
            return SourceUnit(unit, f"its values state {SPOKEN[unit]}")
    if dimension == "frequency":
        numbers = values.bare_numbers or values.numbers
        unit = "GHz" if numbers and 0 < median(numbers) < 20 else "MHz"
    elif dimension == "duration":
        unit = "hours"
    elif field in _MEMORY:
        unit = _memory_unit(values, subject)
    else:
        unit = _storage_unit(values, neighbours)
    if not values.numbers:
        return SourceUnit(unit, f"{SPOKEN[unit]} are assumed")
    return SourceUnit(
        unit, f"{value_range(values)} {'are' if len(set(values.numbers)) > 1 else 'is'} typical of {SPOKEN[unit]}"
    )


def value_range(values: ValueProfile) -> str:
    """'the values 4,096 to 65,536', or 'the value 8'."""
    low, high = min(values.numbers), max(values.numbers)
    return f"the values {_written(low)} to {_written(high)}" if low != high else f"the value {_written(low)}"


def _written(number: float) -> str:
    return (
        f"{number:,.0f}" if number == int(number) or abs(number) >= 1000 else f"{number:,.2f}".rstrip("0").rstrip(".")
    )


def may_be(field: str, unit: str, numbers: Sequence[float]) -> bool:
    """Whether bare numbers make sense in a unit that something else speaks for: "512000 MB" beside "500"."""
    if field not in _USUAL or not numbers:
        return True
    canonical, low, high = _USUAL[field]
    return low <= median(numbers) * FACTORS[canonical][unit.lower()] <= high


def _known_unit(text: str) -> str | None:
    return UNITS.get(text.lower()) or _FRENCH_UNITS.get(text.lower())


def _memory_unit(values: ValueProfile, subject: Subject | None) -> str:
    """Machines have between 1 GB and a few TB: whichever unit puts the middle value there."""
    if not values.numbers:
        return "GB"
    numbers = values.bare_numbers or values.numbers
    middle, smallest = median(numbers), min(numbers)
    if middle >= 2**29:
        return "bytes"
    # A host may well have 3 TB, that is 3,145,728 MB; a smaller machine with such a number counts kilobytes.
    if middle >= (12_000_000 if subject == "host" else 3_500_000):
        return "KB"
    return "MB" if middle > 1024 or (smallest >= 256 and middle >= 512) else "GB"


def _storage_unit(values: ValueProfile, neighbours: Sequence[str]) -> str:
    """Disks have between 20 GB and some 100 TB; a table's other sizes are the better guide where they fit."""
    if not values.numbers:
        return neighbours[0] if neighbours else "GB"
    numbers = values.bare_numbers or values.numbers
    middle = median(numbers)
    if middle >= 2**32:
        return "bytes"
    if middle >= 20_000:
        return "KB" if middle >= 2e8 else "MB"
    whole = all(number == int(number) for number in numbers)
    if not whole and max(numbers) < 20:
        return "TB"
    return "GB"
