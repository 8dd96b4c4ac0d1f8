"""The synonyms, abbreviations and value words of `lexicon.toml`, loaded once."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log
from typing import Any

Subject = str  # vm, host, server, database or application: what a row of a table is about


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words the product knows, and how their variants are brought into one form."""

    words: frozenset[str]
    aliases: Mapping[str, str]
    compounds: Mapping[tuple[str, ...], str]
    compound_starts: frozenset[str]
    counted: frozenset[str]
    spellable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How the values of a field look, and which words beside its name change nothing.

    `fit` and `misfit` are the log-odds of values that are of its kinds, and of values that are not.
    """

    neutral: frozenset[str]
    kinds: tuple[str, ...]
    fit: float = 0.0
    misfit: float = 0.0
    dimension: str | None = None


# Of a field that the lexicon does not know, such as a tenant's own: any value may be one of it.
OPEN_RULE = FieldRule(neutral=frozenset(), kinds=())


@dataclass(frozen=True, slots=True)
class Residual:
    """What words left over after a match do to its probability."""

    neutral: frozenset[str]
    entity: frozenset[str]
    modifiers: frozenset[str]
    words: Mapping[str, float]
    other: float
    unknown: float
    unknown_short: float
    number: float
    entity_weight: float
    modifier_weight: float


@cache
def lexicon_data() -> dict[str, Any]:
    """The lexicon as it stands in the file."""
    return tomllib.loads(files("services.field_mapping").joinpath("lexicon.toml").read_text(encoding="utf-8"))


def lexicon_entries(section: str) -> Iterator[tuple[str, str, float, Subject | None]]:
    """Phrase, field, prior probability and the subject it is limited to, of every phrase of a section."""
    strengths: dict[str, float] = lexicon_data()["strengths"]
    for target, entry in lexicon_data()[section].items():
        for level, strength in strengths.items():
            for phrase in entry.get(level, []) if level != "subject" else []:
                yield phrase, target, strength, None
        for subject, phrases in entry.get("subject", {}).items():
            for phrase in phrases:
                yield phrase, target, strengths["subject"], subject


@cache
def vocabulary() -> Vocabulary:
    """All known words; loaded from the package on first use."""
    data = lexicon_data()
    aliases = {variant: word for word, variants in data["aliases"].items() for variant in variants}
    words = (
        set(data["neutral"]["words"])
        | set(data["entity"]["words"])
        | set(data["modifiers"]["words"])
        | set(data["residual"]["words"])
        | set(data["aliases"])
    )
    for section in ("fields", "connections"):
        words |= {word for phrase, *_ in lexicon_entries(section) for word in phrase.split()}
        words |= {word for entry in data[section].values() for word in entry.get("neutral", [])}
    words |= {word for group in data["unmapped"].values() for phrase in group["phrases"] for word in phrase.split()}
    words |= {word for phrases in data["compounds"].values() for phrase in phrases for word in phrase.split()}
    words -= set(aliases)
    aliases |= _plural_aliases(
        words, aliases, frozenset((*data["plurals"]["distinct"], *data["plurals"]["counted"], *data["aliases"]))
    )
    words -= set(aliases)
    compounds = {
        tuple(aliases.get(word, word) for word in phrase.split()): target
        for target, phrases in data["compounds"].items()
        for phrase in phrases
    }
    spellable = tuple(sorted(word for word in words | set(aliases) if len(word) >= 5))
    starts = frozenset(phrase[0] for phrase in compounds)
    return Vocabulary(frozenset(words), aliases, compounds, starts, frozenset(data["plurals"]["counted"]), spellable)


def _plural_aliases(words: set[str], aliases: Mapping[str, str], distinct: frozenset[str]) -> dict[str, str]:
    """Plurals that the lexicon itself uses, by their singular."""
    found = {}
    for word in words - distinct:
        singular = word.removesuffix("s")
        if singular != word and (singular in words or singular in aliases):
            found[word] = aliases.get(singular, singular)
    return found


@cache
def residual() -> Residual:
    """The weights of left-over words."""
    data = lexicon_data()
    weights = {key: value for key, value in data["residual"].items() if not isinstance(value, dict)}
    return Residual(
        neutral=frozenset(data["neutral"]["words"]),
        entity=frozenset(data["entity"]["words"]),
        modifiers=frozenset(data["modifiers"]["words"]),
        words=data["residual"]["words"],
        other=weights["other"],
        unknown=weights["unknown"],
        unknown_short=weights["unknown_short"],
        number=weights["number"],
        entity_weight=weights["entity"],
        modifier_weight=weights["modifier"],
    )


@cache
def unmapped_reasons() -> Mapping[str, str]:
    """Why each recognised but unwanted group of columns maps to nothing, by its target name."""
    return {f"unmapped.{name}": group["reason"] for name, group in lexicon_data()["unmapped"].items()}


@cache
def value_words() -> Mapping[str, frozenset[str]]:
    """Words that are typical values, by kind."""
    return {kind: frozenset(words) for kind, words in lexicon_data()["values"].items()}


@cache
def sheet_subjects() -> Mapping[str, Subject]:
    """What a sheet is about, by its name in lower case."""
    return {name: subject for subject, names in lexicon_data()["sheets"].items() for name in names}


@cache
def field_rules(section: str) -> Mapping[str, FieldRule]:
    """The rule of every field of a section, `fields` or `connections`."""
    return {target: _rule(entry) for target, entry in lexicon_data()[section].items()}


def _rule(entry: Mapping[str, Any]) -> FieldRule:
    aliases = vocabulary().aliases
    return FieldRule(
        neutral=frozenset(aliases.get(word, word) for word in entry.get("neutral", [])),
        kinds=tuple(entry.get("values", [])),
        fit=log(entry.get("fit", 1.0)),
        misfit=log(entry.get("misfit", 1.0)),
        dimension=entry.get("dimension"),
    )


@dataclass(frozen=True, slots=True)
class SubjectLimits:
    """What is not said of a row of a table: words about its guests, and fields it rarely has."""

    modifiers: frozenset[str]
    fields: frozenset[str]


@cache
def subject_limits(subject: Subject | None) -> SubjectLimits:
    """The limits of tables about `subject`; none for most."""
    entry = lexicon_data()["subject_limits"].get(subject, {})
    return SubjectLimits(frozenset(entry.get("modifiers", [])), frozenset(entry.get("fields", [])))
