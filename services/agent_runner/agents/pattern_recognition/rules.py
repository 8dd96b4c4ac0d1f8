"""How an organisation names its machines: the parts of its names, and what each part says."""

import re
import tomllib
from collections import Counter, defaultdict
from importlib.resources import files
from typing import Any, Literal

from pydantic import Field

from services.agent_runner.agents.definition import Answers, Judgement, Question
from services.agent_runner.analysis.phrases import listed
from services.agent_runner.analysis.scales import environment_rank

Meaning = Literal["environment", "role", "operating_system", "site", "organisation", "number", "constant", "unknown"]

# A way of naming that fewer machines share than this is an exception, not a pattern.
FEWEST_NAMES = 3
SHOWN_VALUES = 20
# A part that takes so few values is a code of something.
CODES = 12
_TOKENS = re.compile(r"[a-z]+|\d+|[^a-z\d]+")
_WORDS: dict[str, frozenset[str]] = {
    meaning: frozenset(words.split())
    for meaning, words in tomllib.loads(files(__package__).joinpath("words.toml").read_text(encoding="utf-8")).items()
}


class Names(Question):
    """Names to find patterns in."""

    names: list[str] = Field(min_length=1, max_length=5000, description="Host names, one a machine")


class NamePart(Judgement):
    """One part of the names that are built alike; its key is the template and the part's place."""

    template: str = Field(max_length=200, description="a: letters, 9: digits, the rest as it is, such as aa-aaa-99")
    position: int = Field(ge=0)
    meaning: Meaning
    values: dict[str, int] = Field(default={}, description="Its commonest values, and in how many names")
    names: int = Field(default=0, description="Names that are built so")
    example: str = Field(default="", max_length=300)


class NamingPatterns(Answers):
    """The parts of all patterns, the commonest pattern first."""

    answers: list[NamePart]


def recognise(question: Names) -> NamingPatterns:
    """Split names into runs of letters and digits, group those that are built alike, and read each part's values.

    The confidence is the share of names whose value in that part is a word of its kind.
    """
    groups: dict[str, list[list[str]]] = defaultdict(list)
    for name in dict.fromkeys(text.strip().lower().partition(".")[0] for text in question.names):
        if tokens := _TOKENS.findall(name):
            groups["".join(map(_kind, tokens))].append(tokens)
    parts = [
        part
        for template, names in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        if len(names) >= FEWEST_NAMES
        for part in _parts(template, names)
    ]
    return NamingPatterns(answers=parts)


def _kind(token: str) -> str:
    return "a" if token[0].isalpha() else "9" if token[0].isdigit() else token


def _parts(template: str, names: list[list[str]]) -> list[NamePart]:
    parts = []
    places = [place for place, token in enumerate(names[0]) if token[0].isalnum()]
    for position, place in enumerate(places):
        values = Counter(tokens[place] for tokens in names)
        meaning, confidence = _meaning(values)
        shown = [f"{value} ({count})" for value, count in values.most_common(3)]
        parts.append(
            NamePart(
                key=f"{template}#{position}",
                template=template[:200],
                position=position,
                meaning=meaning,
                values=dict(values.most_common(SHOWN_VALUES)),
                names=len(names),
                example="".join(names[0])[:300],
                confidence=round(confidence, 3),
                rationale=f"Part {position + 1} of names like {''.join(names[0])} is {listed(shown)}.",
            )
        )
    return parts


def _meaning(values: Counter[str]) -> tuple[Meaning, float]:
    total = values.total()
    if all(value.isdigit() for value in values):
        return "number", 0.95
    if len(values) == 1:
        value = next(iter(values))
        return ("role", 0.8) if value in _WORDS["role"] else ("constant", 0.8)
    spoken: dict[Meaning, int] = {
        "environment": sum(
            count for value, count in values.items() if len(value) > 1 and environment_rank(value) is not None
        ),
        "role": sum(count for value, count in values.items() if value in _WORDS["role"]),
        "operating_system": sum(count for value, count in values.items() if value in _WORDS["operating_system"]),
    }
    meaning: Meaning = max(spoken, key=lambda each: spoken[each])
    share = spoken[meaning] / total
    if share >= 0.5:
        return meaning, 0.95 * share
    if len(values) <= CODES and all(2 <= len(value) <= 4 for value in values):
        return "site", 0.35
    return "unknown", 0.2


def impossible(question: Names, answer: NamePart) -> str | None:
    """Why a part cannot be this; every meaning there is can be right for letters, and digits may be codes, too."""
    return (
        "a part with several values is no constant" if answer.meaning == "constant" and len(answer.values) > 1 else None
    )


def names_like(question: Names, key: str) -> dict[str, Any]:
    """Some names that are built so."""
    template = key.rpartition("#")[0]
    alike = (
        name
        for name in question.names
        if "".join(map(_kind, _TOKENS.findall(name.strip().lower().partition(".")[0]))) == template
    )
    return {"names": [name[:100] for name, _ in zip(alike, range(SHOWN_VALUES), strict=False)]}
