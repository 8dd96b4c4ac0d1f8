"""Feedback in plain words, English or German: "RAM_GB should map to Memory (GB)", "Tier ist nicht DR-Stufe"."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from contracts.catalog import CATALOG, CONNECTION_FIELDS, unit_called
from contracts.discovery import ColumnProfile, TableProfile
from contracts.envelope import BlobRef, uuid7
from contracts.learning import OwnField, Teaching
from services.field_mapping.matching import propose
from services.field_mapping.source_units import SPOKEN
from services.field_mapping.taught import column_key

EXAMPLES = (
    "“RAM_GB should map to Memory (GB)”, “Tier is not DR tier”, “Owner is the business owner”, "
    "“Notes maps to nothing”, “RAM is in MB”, “Größe gehört zu Storage”"
)

_THE = r"(?:the |a |an |der |die |das |ein |eine |dem |den |zum |zur )?"
_X, _Y = r"(?P<column>.+?)", rf"{_THE}(?P<field>.+?)"
_LEAD = r"(?:the (?:column|field) |column |die spalte |spalte |das feld )?"
# The first pattern that a whole sentence fits decides, so those that say more come first.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("in_unit", r"(?:the |die )?(?:unit|einheit) (?:of|von|für) " + _LEAD + _X + r" (?:is|ist|=) (?P<field>\S+)"),
    (
        "in_unit",
        _LEAD + _X + r" (?:is|are|ist|sind|wird|werden) (?:stated |measured |given |angegeben )?in (?P<field>\S+)"
        r"(?: angegeben| gemessen)?",
    ),
    ("nothing", r"(?:ignore|skip|leave out|drop|ignoriere?|überspringe) " + _LEAD + _X),
    ("nothing", _LEAD + _X + r" (?:ignorieren|weglassen|auslassen|(?:wird|werden) nicht (?:gebraucht|benötigt))"),
    (
        "nothing",
        _LEAD + _X + r" (?:(?:should |must )?(?:maps? to|be|means?|is)|bedeutet|ist|gehört zu) "
        r"(?:nothing|ignored|left out|unmapped|nichts|unwichtig|zu ignorieren)",
    ),
    ("nothing", _LEAD + _X + r" (?:should not be mapped|is not needed|soll nicht abgebildet werden)"),
    ("is_not", r"(?:do not|don't|never) map " + _LEAD + _X + r" (?:to|as) " + _Y),
    (
        "is_not",
        _LEAD + _X + r" (?:should not|shouldn't|must not|does not|doesn't|is not to) "
        r"(?:be mapped to|map to|be|mean) " + _Y,
    ),
    ("is_not", _LEAD + _X + r" (?:is not|isn't|!=|≠|ist nicht|ist kein|ist keine) " + _Y),
    ("is_not", _LEAD + _X + r" (?:gehört|bedeutet|entspricht) nicht (?:zu )?" + _Y),
    ("is_not", _LEAD + _X + r" soll(?:te)? nicht (?:auf )?" + _Y + r" (?:abgebildet werden|zugeordnet werden|sein)"),
    ("is", _LEAD + _X + r" soll(?:te)? (?:auf )?" + _Y + r" (?:abgebildet werden|zugeordnet werden|sein)"),
    ("is", r"(?:ordne) " + _LEAD + _X + " " + _Y + r" zu"),
    ("is", r"(?:map|bilde) " + _LEAD + _X + r" (?:to|as|onto|auf) " + _Y + r"(?: ab)?"),
    (
        "is",
        _LEAD + _X + r" (?:should|must|has to|needs to|ought to) (?:be mapped to|map to|be|mean|go to|become) " + _Y,
    ),
    ("is", _LEAD + _X + r" (?:maps to|means|is mapped to|belongs to|stands for|contains|holds) " + _Y),
    ("is", _LEAD + _X + r" (?:bedeutet|entspricht|gehört zu|gehört zum|gehört zur|meint|enthält|steht für) " + _Y),
    ("is", _LEAD + _X + r" (?:is|ist|are|sind|->|=>|→|=) " + _Y),
)
_COMPILED = tuple((verdict, re.compile(pattern, re.IGNORECASE)) for verdict, pattern in _PATTERNS)
# A column's name may have dots in it, so a sentence ends with one only before a blank or the end.
_SENTENCE = re.compile(r"[\n;]+|(?<=[^\s.])\.(?:\s+|$)|[!]+(?:\s+|$)")
_POLITE = re.compile(r"^(?:please|bitte),?\s+", re.IGNORECASE)
_QUOTES = "\"'`“”„‚‘’«»"


class NotUnderstood(ValueError):
    """Feedback that says nothing that can be learned; the message names the sentence and what can be said."""


def understood(text: str, own_fields: Iterable[OwnField] = ()) -> list[Teaching]:
    """What the sentences of a text teach, in their order; raises `NotUnderstood` if any of them is not clear."""
    own_fields = list(own_fields)
    sentences = [sentence.strip() for sentence in _SENTENCE.split(text) if sentence.strip()]
    if not sentences:
        raise NotUnderstood(f"There is nothing to learn in an empty text. Say it like one of these: {EXAMPLES}.")
    return [_teaching(sentence, own_fields) for sentence in sentences]


def _teaching(sentence: str, own_fields: list[OwnField]) -> Teaching:
    unknown: str | None = None
    for verdict, pattern in _COMPILED:
        match = pattern.fullmatch(_POLITE.sub("", sentence))
        if match is None:
            continue
        column = _unquoted(match["column"])
        if not column_key(column):
            continue
        if verdict == "in_unit":
            unit = _unit(match["field"])
            if unit is not None:
                return Teaching(column=column, verdict=verdict, field=None, unit=unit)
            # "Owner is in charge" may say something else.
            continue
        if verdict == "nothing":
            return Teaching(column=column, verdict="is", field=None)
        field = field_called(_unquoted(match["field"]), own_fields)
        if field is not None:
            return Teaching(column=column, verdict=verdict, field=field)
        unknown = unknown or _unquoted(match["field"])
        if verdict == "is_not":
            # What comes later would take "not" for a part of the field's name and learn the opposite.
            break
    if unknown is not None:
        names = {label: None for _, label in _names(own_fields)}
        near = get_close_matches(unknown, names, n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(near)}?" if near else " `modernize fields list` shows them all."
        raise NotUnderstood(f"“{sentence}”: there is no field called “{unknown}”.{hint}")
    raise NotUnderstood(f"“{sentence}” was not understood. Say it like one of these: {EXAMPLES}.")


def _unit(written: str) -> str | None:
    """The unit that people call so, by its sign or in words."""
    words = {name: unit for unit, name in SPOKEN.items()}
    return unit_called(_unquoted(written)) or words.get(_unquoted(written).lower())


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if len(text) > 2 and text[0] in _QUOTES and text[-1] in _QUOTES else text


def field_called(name: str, own_fields: Iterable[OwnField] = ()) -> str | None:
    """The id of the field that people call so: by id, label with or without unit, or what a column so named means."""
    key = column_key(name)
    exact = {column_key(label): field for field, label in _names(own_fields)}
    return exact.get(key) or _proposed(name)


def _names(own_fields: Iterable[OwnField]) -> Iterator[tuple[str, str]]:
    yield from CONNECTION_FIELDS.items()
    for field in CATALOG.values():
        yield from ((field.id, field.id), (field.id, field.label))
        if field.unit:
            yield field.id, f"{field.label} ({field.unit})"
    for own in own_fields:
        yield from ((own.field_id, name) for name in (own.field_id, own.label, *own.names))


def _proposed(name: str) -> str | None:
    column = ColumnProfile(name=name, filled=0, distinct=0, samples=[])
    nothing = BlobRef(key="", sha256="", size_bytes=0, media_type="")
    table = TableProfile(
        table_id=uuid7(), import_id=uuid7(), file_name="", kind="inventory", header_row=1, row_count=0,
        columns=[column], rows=nothing,
    )  # fmt: skip
    return propose(table).columns[0].field
