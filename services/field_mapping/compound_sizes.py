"""Cells that hold several numbers of one thing: "8 x 2 GB", "2x512GB + 1 TB", "31 GiB / 60 GiB"."""

import re
from dataclasses import dataclass

from services.field_mapping.units import factor

# What such a cell can be about: a total of modules, disks or cores. Others would have to be guessed.
TOTALS = frozenset({"memory_gb", "storage_gb", "database_size_gb", "cpu_cores"})
USED = {"memory_used_gb": "memory_gb", "storage_used_gb": "storage_gb"}

_NUMBER = r"\d+(?:[.,]\d+)?"
_PART = re.compile(
    rf"(?:(?P<times>\d{{1,3}})\s*[xX×*]\s*)?(?P<number>{_NUMBER})\s*(?P<unit>[A-Za-z]+)?(?:\s+(?:RAM|ECC|SSD|HDD|DDR\d))?"
)
_OF = re.compile(r"(?P<part>.+?)\s*(?:/|\bof\b|\bvon\b|\bsur\b|\bde\b)\s*(?P<whole>.+)")
_SEVERAL = re.compile(r"\d\s*[xX×*]\s*\d|[+;]")
# Three digits behind a separator may be thousands.
_EITHER_WAY = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


@dataclass(frozen=True)
class Total:
    """What a cell comes to in the field's unit, and how."""

    value: float
    how: str


def total_of(text: str, field: str, canonical: str, bare: float) -> Total | None:
    """The total that a cell states for a field, or None for a cell that states none or could be read otherwise.

    `bare` is how many of the canonical unit a number without one is. Of "used / total" a field of what is used takes
    the smaller one, a field of the whole the larger one.
    """
    if field not in TOTALS and field not in USED:
        return None
    if (both := _OF.fullmatch(text)) is not None:
        part, whole = (_sum(both[name], canonical, bare) for name in ("part", "whole"))
        if part is None or whole is None or part > whole or field == "cpu_cores":
            return None
        return Total(part, "what is used of it all") if field in USED else Total(whole, "all of it, used or not")
    if field in USED or not _SEVERAL.search(text):
        return None
    value = _sum(text, canonical, bare)
    if value is None:
        return None
    return Total(value, "multiplied and added up" if re.search(r"[+;]", text) else "multiplied")


def _sum(text: str, canonical: str, bare: float) -> float | None:
    """The sum of the parts; None if one of them is not a number of the unit, or several have none."""
    parts = [_PART.fullmatch(part.strip()) for part in re.split(r"[+;]", text)]
    total = 0.0
    for part in parts:
        if part is None or _EITHER_WAY.fullmatch(part["number"]):
            return None
        scale = bare if part["unit"] is None else factor(part["unit"], canonical)
        if scale is None or (part["unit"] is None and len(parts) > 1):
            return None
        total += int(part["times"] or 1) * float(part["number"].replace(",", ".")) * scale
    return total
