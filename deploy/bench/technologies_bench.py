"""`./justw bench technologies`: free texts to canonical products, cross-validated, against plain string matching.

For each fifth of the labelled texts, every alias of the shipped catalogue that is one of them is taken away, wherever
it came from; only the canonical names stay, which every side of the comparison is given. The peers see the same names
and aliases: exact names (only case and blanks are ignored) and rapidfuzz's `token_set_ratio`. Texts that name no
technology are always those of `technologies/labelled.toml`, and so are the releases. Grammar and confidence were
developed with these texts, so figures on our own ones are no forecast.

`MODERNIZE_BENCH_TECHNOLOGIES` names a folder with files in the layout of ESAppMod (Apache-2.0,
https://github.com/konveyor/tackle-container-advisor), `{"data": {"0": {"entity_id": 1, "mentions": ["..."]}}}`; without
it the labelled texts are our own.
"""

import json
import os
import random
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rapidfuzz import fuzz, process

from deploy.bench.results import Result
from services.field_mapping.technology_catalogue import CONCEPT, Product, technology_products
from services.field_mapping.technology_matching import TechnologyMatcher
from services.field_mapping.technology_names import CERTAIN, confidence, technology_matcher
from services.field_mapping.technology_releases import release_of

PEERS: list[str] = []  # rapidfuzz is a library of the platform itself.

DATA = Path(__file__).parent / "technologies"
FOLDS, SEED, COVERAGE = 5, 7, 0.75


@dataclass(frozen=True)
class Labelled:
    """Texts with the products that they may mean, and texts that name none."""

    technologies: dict[str, frozenset[str]]
    releases: dict[str, tuple[str, str | None]]  # of our own texts: product and release
    others: list[str]


@dataclass(frozen=True)
class Answer:
    """What one side makes of a text: its first product, how sure it is, and whether that is right."""

    text: str
    product: str | None
    confidence: float
    right: bool


# Makes of the products of a fold what answers a text with a product and a confidence.
Side = Callable[[list[Product]], Callable[[str], tuple[str | None, float]]]


async def run() -> Result:
    """Measure on the folder that MODERNIZE_BENCH_TECHNOLOGIES names, else on our own texts."""
    folder = os.environ.get("MODERNIZE_BENCH_TECHNOLOGIES")
    return measure(load(Path(folder) if folder else None))


def load(folder: Path | None) -> Labelled:
    """Our own labelled texts; with a folder, its texts instead. Raises `ValueError` where it has none."""
    data = tomllib.loads((DATA / "labelled.toml").read_text(encoding="utf-8"))
    releases: dict[str, tuple[str, str | None]] = {}
    for label, texts in data["technologies"].items():
        product, _, release = label.partition(" | ")
        releases.update(dict.fromkeys(texts, (product, release or None)))
    technologies = {text: frozenset({product}) for text, (product, _) in releases.items()}
    if folder is not None:
        technologies = _esappmod(folder)
    return Labelled(technologies, releases, [text for texts in data["not_technologies"].values() for text in texts])


def _esappmod(folder: Path) -> dict[str, frozenset[str]]:
    names: dict[str, str] = json.loads((DATA / "esappmod_entities.json").read_text(encoding="utf-8"))
    meant: dict[str, set[str]] = {}
    spelled: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("label") != "entity_id":
            continue
        for entity in content["data"].values():
            for text in entity["mentions"] if str(entity["entity_id"]) in names else []:
                spelled.setdefault(_key(text), text)
                meant.setdefault(_key(text), set()).add(names[str(entity["entity_id"])])
    if not meant:
        raise ValueError(f"{folder} has no file in the layout of ESAppMod with entities that the catalogue knows.")
    return {spelled[key]: frozenset(products) for key, products in meant.items()}


def measure(labelled: Labelled) -> Result:
    """Ours and the peers on the same folds; ratios are of wrong answers, theirs to ours."""
    sides: dict[str, Side] = {"exact_names": _exact_names, "token_set_ratio": _token_set_ratio, "ours": _ours}
    figures: dict[str, float] = {
        "texts": len(labelled.technologies),
        "products": len(technology_products()),
        "other_texts": len(labelled.others),
    }
    no_product = {None, *(product.name for product in technology_products() if product.kind == CONCEPT)}
    wrong: dict[str, int] = {}
    for name, side in sides.items():
        answers, others, seconds = _cross_validate(labelled, side)
        threshold = sorted((answer.confidence for answer in answers), reverse=True)[int(COVERAGE * len(answers)) - 1]
        wrong[name] = sum(not answer.right for answer in answers)
        figures |= {
            f"{name}_top1_percent": _percent(answer.right for answer in answers),
            f"{name}_precision_at_75_coverage_percent": _percent(
                answer.right for answer in answers if answer.confidence >= threshold
            ),
            f"{name}_others_refused_at_75_coverage_percent": _percent(
                answer.confidence < threshold or answer.product in no_product for answer in others
            ),
            f"{name}_milliseconds_each": 1000 * seconds / (len(answers) + len(others)),
        }
        if name == "ours":
            figures |= _as_shipped(answers, others, no_product)
    figures["releases_right_percent"] = _percent(_releases(labelled))
    return Result(
        figures, {f"{name}_wrong_to_ours": wrong[name] / max(1, wrong["ours"]) for name in wrong if name != "ours"}
    )


def _as_shipped(answers: list[Answer], others: list[Answer], no_product: set[str | None]) -> dict[str, float]:
    """At the confidence from which the platform accepts; a word of the trade names no product."""
    names = {product.name.casefold() for product in technology_products()}
    accepted = [answer for answer in answers if answer.confidence >= CERTAIN]
    return {
        "top1_without_canonical_names_percent": _percent(
            answer.right for answer in answers if answer.text.casefold() not in names
        ),
        "accepted_percent": _percent(answer.confidence >= CERTAIN for answer in answers),
        "accepted_right_percent": _percent(answer.right for answer in accepted),
        "others_refused_percent": _percent(
            answer.confidence < CERTAIN or answer.product in no_product for answer in others
        ),
        "calibration_error_percent": 100 * _calibration_error(answers),
    }


def _cross_validate(labelled: Labelled, side: Side) -> tuple[list[Answer], list[Answer], float]:
    """Answers to the labelled texts and to the others of each fold, and the processor's seconds for all of them."""
    texts = sorted(labelled.technologies)
    random.Random(SEED).shuffle(texts)
    answers: list[Answer] = []
    others: list[Answer] = []
    seconds = 0.0
    for fold in range(FOLDS):
        answer = side(_without({_key(text) for text in texts[fold::FOLDS]}))
        started = time.process_time()
        found = [(text, *answer(text)) for text in texts[fold::FOLDS]]
        refused = [(text, *answer(text)) for text in labelled.others[fold::FOLDS]]
        seconds += time.process_time() - started
        answers += [Answer(*one, one[1] in labelled.technologies[one[0]]) for one in found]
        others += [Answer(*one, False) for one in refused]
    return answers, others, seconds


def _without(held_out: set[str]) -> list[Product]:
    """The catalogue without the aliases that are held out."""
    return [
        replace(product, aliases=tuple(alias for alias in product.aliases if _key(alias) not in held_out))
        for product in technology_products()
    ]


def _ours(products: list[Product]) -> Callable[[str], tuple[str | None, float]]:
    matcher = TechnologyMatcher(products)

    def answer(text: str) -> tuple[str | None, float]:
        ranked = matcher.rank(text)
        return (ranked[0].product.name if ranked else None), confidence(ranked)

    return answer


def _exact_names(products: list[Product]) -> Callable[[str], tuple[str | None, float]]:
    known = {_key(spelling): product.name for product in products for spelling in product.spellings}
    return lambda text: (known.get(_key(text)), float(_key(text) in known))


def _token_set_ratio(products: list[Product]) -> Callable[[str], tuple[str | None, float]]:
    spelled = [(_key(spelling), product.name) for product in products for spelling in product.spellings]
    choices = [spelling for spelling, _ in spelled]

    def answer(text: str) -> tuple[str | None, float]:
        _, score, index = process.extractOne(_key(text), choices, scorer=fuzz.token_set_ratio)
        return spelled[index][1], score / 100

    return answer


def _releases(labelled: Labelled) -> Iterator[bool]:
    """Whether product and release of our own texts are right, with the catalogue as shipped."""
    for text, (product, release) in labelled.releases.items():
        first = technology_matcher().rank(text)[0]
        yield first.product.name == product and release_of(first.product, text, first.spelling) == release


def _calibration_error(answers: list[Answer]) -> float:
    """Expected calibration error over ten bins of confidence."""
    error = 0.0
    for tenth in range(10):
        inside = [one for one in answers if tenth / 10 <= one.confidence < (tenth + 1) / 10]
        error += abs(sum(one.right - one.confidence for one in inside)) / len(answers)
    return error


def _percent(outcomes: Iterable[bool]) -> float:
    counted = list(outcomes)
    return 100 * sum(counted) / len(counted)


def _key(text: str) -> str:
    return " ".join(text.casefold().split())
