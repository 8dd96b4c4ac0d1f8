"""The canonical fields with what they are recognised by: the names that columns have, and the kinds of their values."""

from dataclasses import dataclass

from contracts.catalog import CATALOG, CatalogField
from services.field_mapping.lexicon import field_rules, lexicon_entries

# Phrases that are less likely than this to mean a field are not called synonyms of it.
_SYNONYM = 0.85


@dataclass(frozen=True, slots=True)
class RecognisedField:
    """A canonical field, its synonyms, and the kinds of values that answer it (`value_patterns`)."""

    field: CatalogField
    synonyms: tuple[str, ...]
    value_kinds: tuple[str, ...]


def recognised_fields() -> list[RecognisedField]:
    """Every canonical field, in the catalogue's order; synonyms that hold in some tables only are left out."""
    synonyms: dict[str, list[str]] = {field: [] for field in CATALOG}
    for phrase, field, strength, subject in lexicon_entries("fields"):
        if strength >= _SYNONYM and subject is None:
            synonyms[field].append(phrase)
    rules = field_rules("fields")
    return [RecognisedField(field, tuple(synonyms[name]), rules[name].kinds) for name, field in CATALOG.items()]
