"""`./justw bench mapping`: what columns mean, on labelled exports, against other ways to find out.

Ours is measured twice. `seen`: as the product ships. The lexicon and the weights were made with these files in
sight, so this is no forecast. `unseen`: for each vendor, without its columns in the fit of the weights and without the
phrases that only its own files support; harsher than a new vendor, as many of these phrases anybody would write. The
truth for a new vendor's file lies between the two. Peers answer as they are, with the threshold that suits them best.

`unseen_by_meaning`: `unseen` with the word vectors of the extra `embeddings`, where it is installed. On 2,195 columns
of 65 vendors they made 93.2 % right instead of 92.3 %, on the 862 of 27 vendors' own files alone 92.9 % instead of
89.9 %, with the precision of what is accepted as it was, for 0.6 ms a column. Sentence vectors of all-MiniLM-L6-v2 in
the same place gave 92.8 % and 92.5 %, and need torch, as their package has no other form of the model.

`MODERNIZE_BENCH_MAPPING` names folders with labelled exports, separated by `:`; without it they are our own, which we
wrote ourselves after the public formats of other vendors.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from deploy.bench.mapping_fit import as_weights, fit_all, fit_without
from deploy.bench.mapping_peers import Answered, best_right_percent, peers_apart, simple_peers
from deploy.bench.mapping_score import Answer, answers, confusions, figures
from deploy.bench.mapping_sets import OWN_SETS, LabelledTable, load, phrases_without
from deploy.bench.results import Result
from services.field_mapping.column_names import read_name
from services.field_mapping.matching import propose
from services.field_mapping.nearness import Nearness, installed_nearness

PEERS: list[str] = []  # They have an environment of their own: COMA needs older libraries than the platform.

_ENVIRONMENT = Path(".bench") / "envs" / "mapping_peers"
_NO_MAGNETO = "Not measured: Magneto zero-shot, which fetches its model from a hub when it runs."
_ROUNDS = 5
_SHOWN = 12


@dataclass(frozen=True)
class MappingResult(Result):
    """Figures with the most frequent confusions, and what was not measured."""

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
    tables = [table for path in paths for table in load(path)]
    return measure(tables, simple_peers(tables) | peers_apart(tables, _ENVIRONMENT))


def measure(tables: Sequence[LabelledTable], others: Mapping[str, Answered]) -> MappingResult:
    """Every side on the same columns; times are CPU seconds, ours the least of five rounds."""
    columns = sum(len(table.profile.columns) for table in tables)
    seen = [answer for table in tables for answer in answers(table, propose(table.profile).columns)]
    unseen = unseen_answers(tables)
    nearness = installed_nearness()
    found = {f"seen_{name}": value for name, value in figures(seen).items()}
    found |= {f"unseen_{name}": value for name, value in figures(unseen).items()}
    if nearness is not None:
        by_meaning = figures(unseen_answers(tables, nearness))
        found |= {f"unseen_by_meaning_{name}": value for name, value in by_meaning.items()}
    ours = least_seconds(lambda: [_propose_afresh(table) for table in tables])
    found |= {
        "columns": len(seen),
        "vendors": len({table.vendor for table in tables}),
        "ours_ms": 1000 * ours / columns,
    }
    ratios = {}
    for name, answered in others.items():
        found[f"{name}_right_percent"] = best_right_percent(tables, answered.scored)
        found[f"{name}_ms"] = 1000 * answered.seconds / columns
        ratios[f"{name}_time_to_ours"] = answered.seconds / ours
    return MappingResult(found, ratios, tuple(confusions(unseen)), (_NO_MAGNETO,))


def unseen_answers(tables: Sequence[LabelledTable], nearness: Nearness | None = None) -> list[Answer]:
    """Every labelled column, mapped by a product that knows nothing of its vendor."""
    order, examples, values = fit_all(tables, nearness)
    given = []
    for vendor in sorted({table.vendor for table in tables}):
        weights = as_weights(order, fit_without(vendor, examples, values))
        book = phrases_without(vendor, tables)
        for table in tables:
            if table.vendor == vendor:
                mapping = propose(table.profile, phrases=book, weights=weights, nearness=nearness)
                given += answers(table, mapping.columns)
    return given


def least_seconds(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """The CPU seconds of the fastest round, as others share the machine."""
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def _propose_afresh(table: LabelledTable) -> object:
    # Names that were read before are remembered; a new file's are not.
    read_name.cache_clear()
    return propose(table.profile)
