"""What a table is: an inventory, an application list or observed connections, and what its rows are about."""

from collections.abc import Sequence, Set

from contracts.discovery import ColumnProfile, TableKind, TableProfile
from services.field_mapping.column_names import ColumnName, plain, read_name
from services.field_mapping.lexicon import Subject, sheet_subjects
from services.field_mapping.name_evidence import common_prefixes, name_matches
from services.field_mapping.phrase_book import connection_phrases, inventory_phrases, subject_words

_SOURCE_WORDS = frozenset({"source", "from", "client", "local", "consumer", "caller", "calling", "initiator"})
_TARGET_WORDS = frozenset({"target", "to", "remote", "provider", "listener", "foreign", "called", "server"})
_MACHINE_FIELDS = frozenset(
    {
        "hostname",
        "vm_name",
        "fqdn",
        "ip_address",
        "mac_address",
        "cpu_cores",
        "cpu_sockets",
        "memory_gb",
        "serial_number",
        "database_name",
    }
)
_APPLICATION_FIELDS = frozenset(
    {
        "business_owner",
        "technical_owner",
        "criticality",
        "data_classification",
        "dependencies",
        "rto",
        "rpo",
        "dr_tier",
        "lifecycle_status",
        "migration_strategy",
    }
)
_CERTAIN = 0.8


def table_kind(columns: Sequence[ColumnProfile]) -> TableKind:
    """Connections when both ends have a column, applications when it lists them and no machine, else inventory."""
    names = [read_name(column.name) for column in columns]
    if _has_both_ends(names):
        return "connections"
    if _lists_applications(names):
        return "applications"
    return "inventory"


def table_subject(table: TableProfile, names: Sequence[ColumnName]) -> Subject:
    """What one row of an inventory or application list is: vm, host, server, database or application."""
    if table.kind == "applications":
        return "application"
    by_sheet = sheet_subjects().get(plain(table.sheet or "").strip())
    if by_sheet is not None:
        return by_sheet
    words = {name.words for name in names}
    anywhere = frozenset[str]().union(*words)
    for subject in ("host", "database", "vm"):
        if sum(phrase <= anywhere and _is_said(phrase, words) for phrase in subject_words()[subject]) >= 2:
            return subject
    return "server"


def _is_said(phrase: frozenset[str], columns: Set[frozenset[str]]) -> bool:
    return phrase in columns or (len(phrase) > 1 and any(phrase <= column for column in columns))


def _has_both_ends(names: Sequence[ColumnName]) -> bool:
    book = connection_phrases()
    ends = {"source": False, "target": False}
    for name in names:
        for field, match in name_matches(name, book, None, frozenset()).items():
            end, _, _ = field.partition("_")
            directions = _SOURCE_WORDS if end == "source" else _TARGET_WORDS
            if (
                end in ends
                and match.probability >= _CERTAIN
                and not directions.isdisjoint(match.phrase.words)
                and match.phrase.words != {"server"}
            ):
                ends[end] = True
    return all(ends.values())


def _lists_applications(names: Sequence[ColumnName]) -> bool:
    prefixes = common_prefixes(names)
    named = False
    machine_fields: set[str] = set()
    application_fields: set[str] = set()
    for name in names:
        matches = name_matches(name, inventory_phrases(), None, prefixes)
        likely = {field for field, match in matches.items() if match.probability >= _CERTAIN}
        machine_fields |= likely & _MACHINE_FIELDS
        application_fields |= likely & _APPLICATION_FIELDS
        named = named or "application_name" in likely
    if machine_fields:
        return False
    listed = name_matches_any(names, prefixes)
    return (
        named
        or (listed and len(application_fields) >= 2)
        or (listed and any("application" in name.words for name in names))
    )


def name_matches_any(names: Sequence[ColumnName], prefixes: frozenset[str]) -> bool:
    """Whether a column would name the application if the table were an application list."""
    book = inventory_phrases()
    return any(
        match.probability >= _CERTAIN
        for name in names
        if (match := name_matches(name, book, "application", prefixes).get("application_name")) is not None
    )
