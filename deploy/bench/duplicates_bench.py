"""`./justw bench duplicates`: which rows of three tools' exports are the same machine, against Splink in the same run.

Both get the same normalised rows of an estate with known truth (`duplicates_estate`); F1 is over pairs of rows. Splink
is set up as its documentation has it for deduplication: Jaro-Winkler names, exact matches with term frequencies, u by
sampling, m by expectation maximisation, clusters at its best threshold of three, so the choice is made in its favour.
Seconds are CPU seconds of one process, for the machine may be busy; normalisation counts in neither.
"""

import importlib
import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID, uuid5

import polars as pl

from contracts.discovery import ColumnMapping, TableMapping, TableProfile
from contracts.envelope import BlobRef
from deploy.bench.duplicates_estate import Export, exports
from deploy.bench.results import Result
from services.field_mapping.cleaned_rows import Rows
from services.field_mapping.identity import SOURCE, identity_keys, split_names, with_identity_columns
from services.field_mapping.merging import merge_assets
from services.field_mapping.normalise import SourceTable, normalise_table

PEERS: list[str] = ["splink>=5"]

MACHINES, SEEDS = 4_000, (1, 2, 3)
# Ten times the rows may take ten times the seconds.
SMALL, LARGE = 4_000, 40_000
_NAMESPACE = UUID(int=12)
_THRESHOLDS = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Score:
    """How right pairs of rows are, and what they cost."""

    precision: float
    recall: float
    cpu_seconds: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


async def run() -> Result:
    """Measure with 4,000 machines a seed, or as many as MODERNIZE_BENCH_MACHINES says."""
    return measure(int(os.environ.get("MODERNIZE_BENCH_MACHINES", MACHINES)), SEEDS)


def measure(machines: int, seeds: Iterable[int], growth: tuple[int, int] = (SMALL, LARGE), peer: bool = True) -> Result:
    """The median over the seeds of each figure, and how the cost grows with the rows."""
    ours, keys, theirs, rows = [], [], [], []
    for seed in seeds:
        table, truth = normalised(exports(machines, seed))
        rows.append(table.height)
        ours.append(_ours(table, truth))
        keys.append(_by_name_alone(table, truth))
        if peer:
            theirs.append(_splink(table, truth))
    costs = [_ours(*normalised(exports(size, 9))).cpu_seconds / size for size in growth]
    figures: dict[str, float] = {"machines": machines, "rows": median(rows)}
    for name, scores in (("modernize", ours), ("name_alone", keys), ("splink", theirs)):
        if scores:
            figures |= {
                f"{name}_f1": median(score.f1 for score in scores),
                f"{name}_worst_f1": min(score.f1 for score in scores),
                f"{name}_precision": median(score.precision for score in scores),
                f"{name}_recall": median(score.recall for score in scores),
                f"{name}_cpu_seconds": median(score.cpu_seconds for score in scores),
            }
    ratios = {f"cost_of_a_row_at_{growth[1]}_to_{growth[0]}_machines": costs[1] / costs[0]}
    if theirs:
        pairs = zip(theirs, ours, strict=True)
        ratios["splink_to_modernize_cpu"] = median(other.cpu_seconds / own.cpu_seconds for other, own in pairs)
    return Result(figures, ratios)


def normalised(tables: list[Export]) -> tuple[pl.DataFrame, list[int]]:
    """The rows of all exports as the import normalises them, and the machine of each."""
    frames, truth, position = [], [], 0
    for table in tables:
        rows = normalise_table(_source(table)).frame.drop("_row")
        number = pl.int_range(position, position + pl.len(), dtype=pl.Int64)
        frames.append(rows.with_columns(pl.format(f"{table.name}:{{}}", number).alias(SOURCE)))
        truth += table.machines
        position += rows.height
    return pl.concat(frames, how="diagonal"), truth


def _source(table: Export) -> SourceTable:
    table_id = uuid5(_NAMESPACE, table.name)
    columns = [
        ColumnMapping(column=name, field=name, confidence=1, status="accepted", reason="named by its field")
        for name in table.rows.columns
    ]
    numbered = table.rows.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("_row"))
    nothing = BlobRef(key="none", sha256="0" * 64, size_bytes=0, media_type="none")
    profile = TableProfile(
        table_id=table_id, import_id=table_id, file_name=table.name, kind="inventory", header_row=1,
        row_count=table.rows.height, columns=[], rows=nothing,
    )  # fmt: skip
    mapping = TableMapping(table_id=table_id, file_name=table.name, kind="inventory", columns=columns)
    return SourceTable(profile, mapping, numbered.lazy())


def score(clusters: Iterable[list[int]], truth: list[int], cpu_seconds: float) -> Score:
    """Precision and recall over pairs of rows; `clusters` are the row numbers of each machine that was found."""
    found = right = 0
    for cluster in clusters:
        found += _pairs(len(cluster))
        right += sum(map(_pairs, Counter(truth[row] for row in cluster).values()))
    true = sum(map(_pairs, Counter(truth).values()))
    return Score(right / found if found else 1.0, right / true if true else 1.0, cpu_seconds)


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def _ours(table: pl.DataFrame, truth: list[int]) -> Score:
    start = time.process_time()
    assets = pl.concat(merge_assets(Rows.of(table), _NAMESPACE).pieces(table.height))
    spent = time.process_time() - start
    return score(([int(row.split(":")[1]) for row in rows.split("; ")] for rows in assets["source_rows"]), truth, spent)


def _by_name_alone(table: pl.DataFrame, truth: list[int]) -> Score:
    """What a spreadsheet does: rows with the same short name in lower case are one machine."""
    start = time.process_time()
    names = identity_keys(split_names(with_identity_columns(table)))["name"]
    rows = pl.DataFrame({"name": names, "row": range(table.height)}).with_columns(
        pl.coalesce("name", pl.format("\x1f{}", "row"))
    )
    clusters = rows.group_by("name").agg("row")["row"].to_list()
    return score(clusters, truth, time.process_time() - start)


def _splink(table: pl.DataFrame, truth: list[int]) -> Score:
    """Splink on the same rows, names already split and in lower case, at the threshold that suits it best."""
    splink: Any = importlib.import_module("splink")
    library: Any = importlib.import_module("splink.comparison_library")
    split = split_names(with_identity_columns(table))
    keys = identity_keys(split)
    columns = [
        "ip_address", "mac_address", "operating_system", "cpu_cores", "memory_gb", "storage_gb", "datacenter",
        "environment", "application_name",
    ]  # fmt: skip
    records = split.select(
        pl.int_range(pl.len()).alias("unique_id"), *(pl.col(name).cast(pl.String) for name in columns)
    ).with_columns(keys.select("uuid", "serial", "name"))
    start = time.process_time()
    exact = [
        library.ExactMatch(name).configure(term_frequency_adjustments=True) for name in (*columns, "uuid", "serial")
    ]
    rules = [splink.block_on(name) for name in ("uuid", "serial", "name", "ip_address", "mac_address")]
    rules += [splink.block_on("substr(name, 1, 8)", "cpu_cores", "memory_gb")]
    settings = splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=[library.JaroWinklerAtThresholds("name", [0.97, 0.92]), *exact],
        blocking_rules_to_generate_predictions=rules,
        probability_two_random_records_match=1 / table.height,
    )
    # DuckDB takes Arrow tables.
    database = splink.DuckDBAPI()
    linker = splink.Linker(database.register(records.to_arrow(), table_name="machines"), settings, log_level=40)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in ("name", "ip_address"):
        linker.training.estimate_parameters_using_expectation_maximisation(splink.block_on(rule))
    predicted = linker.inference.predict(threshold_match_probability=min(_THRESHOLDS))
    scores = []
    for threshold in _THRESHOLDS:
        clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold)
        found = pl.from_arrow(clustered.as_duckdbpyrelation().to_arrow_table())
        assert isinstance(found, pl.DataFrame)
        clusters = found.group_by("cluster_id").agg("unique_id")["unique_id"].to_list()
        scores.append(score(clusters, truth, time.process_time() - start))
    return max(scores, key=lambda one: one.f1)
