"""Labelled exports, whose columns a person has told the meaning of, and the phrases that owe nothing to a vendor.

A folder has CSV files, `labels.json` (file: column: field, null, or a list of what is right) and `units.json` (file:
column: `source_unit`). Files whose names begin alike, up to the first `_`, are one vendor's.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.discovery import TableProfile
from services.cli.map_command import profiled_tables
from services.field_mapping.column_names import read_name
from services.field_mapping.phrase_book import PhraseBook, inventory_phrases

OWN_SETS = Path(__file__).parent / "mapping"
Answers = frozenset[str | None]


@dataclass(frozen=True)
class LabelledTable:
    """One file: its profile, what each labelled column may be mapped to, and the unit of those that have one."""

    path: Path
    profile: TableProfile
    answers: dict[str, Answers]
    units: dict[str, str]

    @property
    def vendor(self) -> str:
        """What is left out together, as a vendor's files resemble each other."""
        return self.path.stem.partition("_")[0]

    @property
    def names(self) -> frozenset[frozenset[str]]:
        """The words of every column's name."""
        return frozenset(read_name(column.name).words for column in self.profile.columns)


def load(folder: Path) -> list[LabelledTable]:
    """The labelled tables of a folder; raises `ValueError` where it has no labels, or labels a column that is not."""
    if not (folder / "labels.json").exists():
        raise ValueError(f"{folder} has no labels.json: name a folder with labelled CSV files.")
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    units = json.loads((folder / "units.json").read_text(encoding="utf-8"))
    return [_table(folder / name, columns, units.get(name, {})) for name, columns in labels.items()]


def _table(
    path: Path, columns: dict[str, str | list[str | None] | None], units: dict[str, dict[str, str]]
) -> LabelledTable:
    (profile,) = profiled_tables(path)
    answers = {name: frozenset(right if isinstance(right, list) else [right]) for name, right in columns.items()}
    if unknown := answers.keys() - {column.name for column in profile.columns}:
        raise ValueError(f"{path.name} has no column {min(unknown)!r}, which labels.json names.")
    return LabelledTable(path, profile, answers, {name: unit["source_unit"] for name, unit in units.items()})


def phrases_without(vendor: str, tables: Sequence[LabelledTable]) -> PhraseBook:
    """The product's phrases less those that may owe their place to this vendor's files.

    The lexicon was written with labelled files in sight, so a phrase that is the whole name of one of the vendor's
    columns, and of no other vendor's, is taken away. That is harsher than reality: many of them anybody would write.
    """
    own = frozenset[frozenset[str]]().union(*(table.names for table in tables if table.vendor == vendor))
    others = frozenset[frozenset[str]]().union(*(table.names for table in tables if table.vendor != vendor))
    return inventory_phrases().without(own - others)
