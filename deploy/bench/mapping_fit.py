"""`just fit-mapping FOLDER...`: fits what each kind of evidence weighs, and tells how well that holds for new vendors.

Columns of each vendor are looked at without the phrases that only its own files support (`phrases_without`), so that
the weights learn how much a name is worth in a file that nobody has seen. The model is a conditional logit over the
fields that something speaks for, none, and any other; several right answers share their probability. It is fitted by
Fisher scoring with a weak Gaussian prior (McFadden 1974, "Conditional logit analysis of qualitative choice behavior").
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp
from pathlib import Path

from deploy.bench.mapping_sets import LabelledTable, load, phrases_without
from services.field_mapping.evidence import ColumnEvidence, with_rivals
from services.field_mapping.matching import table_evidence
from services.field_mapping.nearness import Nearness, installed_nearness
from services.field_mapping.weighing import Weights, fitted_weights, weigh, weights_file

Row = dict[int, float]
_PRIOR = 0.1
_STEPS, _STEPS_FOR_A_FOLD = 12, 3


@dataclass(frozen=True)
class Choice:
    """One column: the evidence of each option by kind, and which options are right."""

    vendor: str
    options: list[Row]
    right: list[bool]


def kinds(weights: Weights) -> list[str]:
    """The order of the parameters: the kinds of evidence, section by section."""
    return [f"{section}.{kind}" for section, part in sections(weights).items() for kind in part]


def sections(weights: Weights) -> dict[str, Mapping[str, float]]:
    """The weights as they stand in their file: of a field, of nothing, of a field that nothing speaks for."""
    return {"field": weights.field, "nothing": weights.nothing, "unheard": weights.unheard}


def as_weights(order: Sequence[str], values: Sequence[float]) -> Weights:
    """Parameters by the kinds that they are for."""
    parts: dict[str, dict[str, float]] = {"field": {}, "nothing": {}, "unheard": {}}
    for name, value in zip(order, values, strict=True):
        section, _, kind = name.partition(".")
        parts[section][kind] = value
    return Weights(**parts)


def choices(tables: Sequence[LabelledTable], weights: Weights, nearness: Nearness | None = None) -> Iterator[Choice]:
    """Every labelled column as a choice; what rivals it is told by `weights`."""
    index = {name: position for position, name in enumerate(kinds(weights))}
    for vendor in sorted({table.vendor for table in tables}):
        book = phrases_without(vendor, tables)
        for table in tables:
            if table.vendor == vendor:
                _, _, evidence = table_evidence(table.profile, book, nearness)
                alone = [weigh(item, weights).fields for item in evidence]
                for item in with_rivals(evidence, alone):
                    if item.column.name in table.answers:
                        yield _choice(vendor, item, table.answers[item.column.name], index)


def _choice(vendor: str, item: ColumnEvidence, right: frozenset[str | None], index: Mapping[str, int]) -> Choice:
    options = [{index[f"field.{kind}"]: x for kind, x in found.items() if x} for found in item.fields.values()]
    options.append({index[f"nothing.{kind}"]: x for kind, x in item.nothing.items() if x})
    options.append({index[f"unheard.{kind}"]: x for kind, x in item.unheard.items() if x})
    known = [*(field in right for field in item.fields), None in right]
    return Choice(vendor, options, [*known, not any(known)])


def fit(examples: Sequence[Choice], start: Sequence[float], steps: int) -> list[float]:
    """The parameters after `steps` of Fisher scoring."""
    values = list(start)
    for _ in range(steps):
        slope = [-_PRIOR * value for value in values]
        curve = [[_PRIOR if row == column else 0.0 for column in range(len(values))] for row in range(len(values))]
        for example in examples:
            _add(example, values, slope, curve)
        values = [value + step for value, step in zip(values, _solve(curve, slope), strict=True)]
    return values


def _add(example: Choice, values: Sequence[float], slope: list[float], curve: list[list[float]]) -> None:
    likely = _softmax([sum(values[kind] * x for kind, x in option.items()) for option in example.options])
    of_right = sum(p for p, right in zip(likely, example.right, strict=True) if right) or 1e-12
    mean: Row = {}
    for option, p, right in zip(example.options, likely, example.right, strict=True):
        pull = (p / of_right if right else 0.0) - p
        for kind, x in option.items():
            slope[kind] += pull * x
            mean[kind] = mean.get(kind, 0.0) + p * x
            for other, y in option.items():
                curve[kind][other] += p * x * y
    for kind, x in mean.items():
        for other, y in mean.items():
            curve[kind][other] -= x * y


def _softmax(scores: Sequence[float]) -> list[float]:
    highest = max(scores)
    powers = [exp(score - highest) for score in scores]
    return [power / sum(powers) for power in powers]


def _solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Gaussian elimination with pivots; the prior keeps the matrix regular."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(column + 1, size):
            factor = rows[row][column] / rows[column][column]
            rows[row] = [x - factor * y for x, y in zip(rows[row], rows[column], strict=True)]
    solution = [0.0] * size
    for row in reversed(range(size)):
        known = sum(rows[row][column] * solution[column] for column in range(row + 1, size))
        solution[row] = (rows[row][size] - known) / rows[row][row]
    return solution


def fit_without(vendor: str, examples: Sequence[Choice], start: Sequence[float]) -> list[float]:
    """The parameters without one vendor's columns, from those that are fitted with them."""
    return fit([example for example in examples if example.vendor != vendor], start, _STEPS_FOR_A_FOLD)


def fit_all(
    tables: Sequence[LabelledTable], nearness: Nearness | None = None
) -> tuple[list[str], list[Choice], list[float]]:
    """Kinds of evidence, every column as a choice, and the parameters fitted on all of them."""
    weights = fitted_weights(nearness is not None)
    order = kinds(weights)
    values = [0.0] * len(order)
    examples: list[Choice] = []
    # Twice, as the weights of the first round tell which columns rival each other.
    for _ in range(2):
        examples = list(choices(tables, weights, nearness))
        values = fit(examples, values, _STEPS)
        weights = as_weights(order, values)
    return order, examples, values


def written(weights: Weights) -> str:
    """The file that ships with the product."""
    lines = ["# Log-odds that a unit of each kind of evidence is worth; fitted by `just fit-mapping FOLDER…`."]
    for title, part in sections(weights).items():
        lines += ["", f"[{title}]", *(f"{kind} = {value:.3f}" for kind, value in part.items())]
    return "\n".join(lines).lstrip() + "\n"


def main(folders: Sequence[str]) -> int:
    """Fit on every folder's labelled files and write the weights into the package.

    Those of nearness in meaning are fitted, too, where the extra `embeddings` is installed.
    """
    if not folders:
        print("Name at least one folder with labelled exports, such as deploy/bench/mapping.")
        return 2
    tables = [table for folder in folders for table in load(Path(folder))]
    for nearness in dict.fromkeys((None, installed_nearness())):
        order, examples, values = fit_all(tables, nearness)
        path = Path(str(files("services.field_mapping").joinpath(weights_file(nearness is not None))))
        path.write_text(written(as_weights(order, values)), encoding="utf-8")
        print(f"Fitted on {len(examples):,} columns of {len(tables)} files; wrote {path.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
