"""The figures of `./justw bench flows` as ratios with their targets, and as the tables that a person reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from rich.markup import escape
from rich.table import Table

from deploy.bench.results import Result

# Of one side in one round; None where the side could not be measured.
Measured = dict[str, float] | None

MISSING = "-"
ROWS = {
    "flows_per_s": "flows/s",
    "cpu_ms_per_flow": "CPU ms/flow",
    "p50_ms": "one flow, p50 ms",
    "p99_ms": "one flow, p99 ms",
    "peak_mb": "peak MB",
    "flows_per_s_at_10000": "flows/s at 10,000",
    "flows_per_s_at_100000": "flows/s at 100,000",
    "flows_per_s_waiting_20_ms": "flows/s, 20 ms waits",
    "cpu_ms_per_flow_waiting_20_ms": "CPU ms, 20 ms waits",
}


@dataclass(frozen=True)
class Target:
    """What a ratio has to reach; `of` is a figure of two sides, None for what is measured on its own."""

    name: str
    bound: Literal["at least", "at most"]
    limit: float
    of: tuple[str, str, str] | None = None

    def verdict(self, value: float | None) -> str:
        """`reached`, `missed`, or `-` where there is nothing to judge."""
        if value is None:
            return MISSING
        return "reached" if (value >= self.limit if self.bound == "at least" else value <= self.limit) else "missed"


TARGETS = (
    Target("embedded_vs_dbos", "at least", 25, ("flows_per_s", "embedded", "dbos")),
    Target("embedded_vs_langgraph", "at least", 8, ("flows_per_s", "embedded", "langgraph")),
    Target("single_p50_embedded_vs_dbos", "at most", 0.5, ("p50_ms", "embedded", "dbos")),
    Target("rabbitmq_vs_dbos", "at least", 12, ("flows_per_s", "rabbitmq", "dbos")),
    Target("rabbitmq_vs_langgraph", "at least", 4, ("flows_per_s", "rabbitmq", "langgraph")),
    Target("rabbitmq_vs_celery", "at least", 4, ("flows_per_s", "rabbitmq", "celery")),
    Target("single_p50_rabbitmq_vs_dbos", "at most", 1.5, ("p50_ms", "rabbitmq", "dbos")),
    Target("recovery_1000_s", "at most", 10),
    Target("at_100k_vs_1k", "at least", 0.8),
)


def figures(rounds: Mapping[str, Sequence[Measured]]) -> dict[str, float]:
    """`SIDE_FIGURE` for each figure of each side: the median of its rounds."""
    found = {}
    for side, measured in rounds.items():
        whole = [one for one in measured if one is not None]
        for name in whole[0] if whole else ():
            found[f"{side}_{name}"] = median(one[name] for one in whole)
    return found


def ratios(rounds: Mapping[str, Sequence[Measured]]) -> dict[str, float]:
    """Ratios of two sides: taken within each round, so that a busy minute slows both, then the median."""
    found = {}
    for target in TARGETS:
        if target.of is not None:
            name, ours, theirs = target.of
            pairs = zip(rounds.get(ours, ()), rounds.get(theirs, ()), strict=False)
            values = [one[name] / other[name] for one, other in pairs if one is not None and other is not None]
            if values:
                found[target.name] = median(values)
    return found


@dataclass(frozen=True)
class FlowsResult(Result):
    """Figures a side and ratios with their targets; `remarks` say in a line each what is missing and why."""

    remarks: tuple[str, ...] = ()

    def table(self, title: str) -> Table:
        """A column a side, then a row a ratio with its target and verdict, then the remarks."""
        page = Table.grid()
        page.add_row(self._sides(title))
        page.add_row(self._verdicts())
        for remark in self.remarks:
            page.add_row(escape(remark))
        return page

    def _sides(self, title: str) -> Table:
        sides = [name.removesuffix("_p50_ms") for name in self.figures if name.endswith("_p50_ms")]
        table = Table("", *sides, title=title)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, heading in ROWS.items():
            cells = [self.figures.get(f"{side}_{name}") for side in sides]
            table.add_row(heading, *(MISSING if cell is None else f"{cell:,.1f}" for cell in cells))
        return table

    def _verdicts(self) -> Table:
        table = Table("ratio", "value", "target", "verdict")
        table.columns[1].justify = "right"
        for target in TARGETS:
            value = self.ratios.get(target.name)
            shown = MISSING if value is None else f"{value:,.2f}"
            table.add_row(target.name, shown, f"{target.bound} {target.limit:g}", target.verdict(value))
        return table
