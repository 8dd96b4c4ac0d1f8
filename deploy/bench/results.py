"""What a benchmark found: figures with their unit in the name, and ratios of figures of the same run."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table


@dataclass(frozen=True)
class Result:
    """Figures depend on the machine (`copy_seconds`); ratios much less (`import_to_copy`), so compare these."""

    figures: dict[str, float]
    ratios: dict[str, float]

    def table(self, title: str) -> Table:
        """What a person reads."""
        table = Table("", "value", title=title)
        table.columns[1].justify = "right"
        for name, value in self.figures.items():
            table.add_row(name, f"{value:,.6g}")
        table.add_section()
        for name, value in self.ratios.items():
            table.add_row(name, f"{value:,.2f} {_unit(name)}")
        return table

    def write(self, path: Path) -> None:
        """Write `{"figures": {…}, "ratios": {…}}`; raises `ValueError` for a value that is not finite."""
        text = json.dumps({"figures": self.figures, "ratios": self.ratios}, indent=2, allow_nan=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")


def _unit(name: str) -> str:
    """Some of what is asked for beside ratios is a limit: a time, or so many a second."""
    if name.endswith("_per_s"):
        return "/s"
    return {"ms": "ms", "s": "s"}.get(name.rpartition("_")[2], "×")
