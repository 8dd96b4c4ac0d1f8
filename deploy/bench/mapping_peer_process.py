"""The peers of `./justw bench mapping` that need packages of their own; runs in their environment.

Reads one JSON document from standard input, `{"fields": {id: {"label", "description"}}, "tables": [[{"name",
"samples"}]]}`, and writes `{peer: {"scored": [[[field, score]]], "seconds": CPU seconds}}`.
"""

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

Fields = dict[str, dict[str, str]]
Columns = list[dict[str, Any]]
Scored = list[tuple[str | None, float]]


def coma(fields: Fields) -> Callable[[Columns], Scored]:
    """Valentine's COMA, by names, between the table and one with a column for each field's label."""
    pandas: Any = importlib.import_module("pandas")
    valentine: Any = importlib.import_module("valentine")
    algorithms: Any = importlib.import_module("valentine.algorithms")
    known = {field["label"].lower(): name for name, field in fields.items()}
    target = pandas.DataFrame(columns=list(known), dtype=str)

    def score(columns: Columns) -> Scored:
        names = [column["name"] for column in columns]
        source = pandas.DataFrame(columns=names, dtype=str)
        best: dict[str, tuple[str | None, float]] = {}
        for pair, found in valentine.valentine_match([source, target], algorithms.Coma()).items():
            if found > best.get(pair.source_column, (None, 0.0))[1]:
                best[pair.source_column] = (known[pair.target_column], float(found))
        nothing: tuple[str | None, float] = (None, 0.0)
        return [best.get(name, nothing) for name in names]

    return score


def mini_lm(fields: Fields) -> Callable[[Columns], Scored]:
    """all-MiniLM-L6-v2: the field whose label and description are nearest to the column's name and values."""
    package: Any = importlib.import_module("all_minilm_l6_v2")
    transformers: Any = importlib.import_module("sentence_transformers")
    with tempfile.TemporaryDirectory() as folder:
        model = transformers.SentenceTransformer(str(package.extract_model(folder)), device="cpu")
    texts = [f"{field['label']}: {field['description']}" for field in fields.values()]
    meanings = model.encode(texts, normalize_embeddings=True)
    names = list(fields)

    def score(columns: Columns) -> Scored:
        texts = [f"{column['spoken']}: {', '.join(column['samples'])}" for column in columns]
        nearness = model.encode(texts, normalize_embeddings=True) @ meanings.T
        return [(names[row.argmax()], float(row.max())) for row in nearness]

    return score


def main() -> None:
    """Answer the document on standard input with every peer."""
    # What a peer prints would spoil the answer.
    answer, sys.stdout = sys.stdout, sys.stderr
    document = json.load(sys.stdin)
    found = {}
    for name, peer in (("coma", coma), ("mini_lm", mini_lm)):
        score = peer(document["fields"])
        begun = time.process_time()
        scored = [score(columns) for columns in document["tables"]]
        found[name] = {"scored": scored, "seconds": time.process_time() - begun}
    json.dump(found, answer)


if __name__ == "__main__":
    main()
