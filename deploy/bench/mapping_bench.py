"""`./justw bench mapping`: what columns mean, on labelled exports, against other ways to find out.

Ours is measured three times. `seen`: as the product ships. The lexicon and the weights were made with these files in
sight, so this is no forecast. `unseen`: for each vendor, without its columns in the fit of the weights and without the
phrases that only its own files support; harsher than a new vendor, as many of these phrases anybody would write. The
truth for a new vendor's file lies between the two. Peers answer as they are, with the threshold that suits them best.

`MODERNIZE_BENCH_MAPPING` names folders with labelled exports, separated by `:`; without it they are our own, which we
wrote ourselves after the public formats of other vendors.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from deploy.bench.mapping_fit import as_weights, fit_all, fit_without
from deploy.bench.mapping_peers import Peer, Scored, best_right_percent, peers
from deploy.bench.mapping_score import Answer, answers, confusions, figures
from deploy.bench.mapping_sets import OWN_SETS, LabelledTable, load, phrases_without
from deploy.bench.results import Result
from services.field_mapping.column_names import read_name
from services.field_mapping.matching import propose

PEERS: list[str] = ["valentine"]

_ROUNDS = 5
_SHOWN = 12


@dataclass(frozen=True)
class MappingResult(Result):
    """Figures with the most frequent confusions, and what could not be measured."""

    confused: tuple[tuple[str, str, int], ...] = ()
    remarks: tuple[str, ...] = ()

    def table(self, title: str) -> Table:
        """The figures, the confusions, the remarks."""
        page = Table.grid()
        page.add_row(super().table(title))
        wrong = Table("should be", "was said", "times", title="unseen, confused most often")
        for right, said, count in self.confused[:_SHOWN]:
            wrong.add_row(right, said, f"{count}")
        page.add_row(wrong)
        for remark in self.remarks:
            page.add_row(escape(remark))
        return page


async def run() -> MappingResult:
    """Measure on the folders of `MODERNIZE_BENCH_MAPPING`, or on our own labelled exports."""
    folders = os.environ.get("MODERNIZE_BENCH_MAPPING")
    paths = [Path(folder) for folder in folders.split(":")] if folders else [OWN_SETS]
    return measure([table for path in paths for table in load(path)], *peers())


def measure(tables: Sequence[LabelledTable], others: Sequence[Peer], missing: Sequence[str]) -> MappingResult:
    """Every side on the same columns; times are CPU seconds, the least of five rounds."""
    columns = sum(len(table.profile.columns) for table in tables)
    seen = [answer for table in tables for answer in answers(table, propose(table.profile).columns)]
    unseen = unseen_answers(tables)
    found = {f"seen_{name}": value for name, value in figures(seen).items() if name != "columns"}
    found |= {f"unseen_{name}": value for name, value in figures(unseen).items() if name != "columns"}
    ours = least_seconds(lambda: [_propose_afresh(table) for table in tables])
    found |= {
        "columns": len(seen),
        "vendors": len({table.vendor for table in tables}),
        "ours_ms": 1000 * ours / columns,
    }
    ratios = {}
    for peer in others:
        scored = _score_all(peer, tables)
        found[f"{peer.name}_right_percent"] = best_right_percent(tables, scored)
        seconds = least_seconds(partial(_score_all, peer, tables), rounds=1)
        found[f"{peer.name}_ms"] = 1000 * seconds / columns
        ratios[f"{peer.name}_time_to_ours"] = seconds / ours
    return MappingResult(found, ratios, tuple(confusions(unseen)), tuple(missing))


def unseen_answers(tables: Sequence[LabelledTable]) -> list[Answer]:
    """Every labelled column, mapped by a product that knows nothing of its vendor."""
    order, examples, values = fit_all(tables)
    given = []
    for vendor in sorted({table.vendor for table in tables}):
        weights = as_weights(order, fit_without(vendor, examples, values))
        book = phrases_without(vendor, tables)
        for table in tables:
            if table.vendor == vendor:
                given += answers(table, propose(table.profile, phrases=book, weights=weights).columns)
    return given


def least_seconds(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """The CPU seconds of the fastest round, as others share the machine."""
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def _score_all(peer: Peer, tables: Sequence[LabelledTable]) -> list[Scored]:
    return [peer.score(table) for table in tables]


def _propose_afresh(table: LabelledTable) -> object:
    # Names that were read before are remembered; a new file's are not.
    read_name.cache_clear()
    return propose(table.profile)
