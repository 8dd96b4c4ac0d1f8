"""The lexicon is consistent: it speaks of real fields, real kinds of values, and words in one form."""

import pytest

from contracts.catalog import CATALOG, CONNECTION_FIELDS
from services.field_mapping.column_names import read_name
from services.field_mapping.lexicon import field_rules, lexicon_data, value_words, vocabulary
from services.field_mapping.value_patterns import known_kinds, patterns


def test_every_field_of_the_catalogue_has_an_entry() -> None:
    assert set(field_rules("fields")) == set(CATALOG)
    assert set(field_rules("connections")) == set(CONNECTION_FIELDS)


def test_no_word_stands_for_a_word_that_stands_for_another() -> None:
    known = vocabulary()
    assert {alias: word for alias, word in known.aliases.items() if word in known.aliases} == {}


def test_every_kind_of_value_that_a_field_expects_can_be_found() -> None:
    examples = (
        *("10.1.2.3", "00:50:56:9a:11:2c", "4210d9a1-6f3e-4b2c-9d55-0f7a3c1d2e11", "srv01.corp.example", "srv01", "12"),
        *(
            "Jane Smith",
            "2025-01-01",
            "10.0.17763",
            "Xeon",
            "m5.large",
            "eu-west-1",
            "Linux",
            "Tier 1",
            "4 h",
            "10 EUR",
        ),
    )
    found = set(value_words()) | {kind for text in examples for kind in known_kinds(text.lower(), None, None)}
    found |= set(known_kinds("12", 12.0, None))
    expected = {
        kind for section in ("fields", "connections") for rule in field_rules(section).values() for kind in rule.kinds
    }
    patterned = {
        kind
        for text in examples
        for kind, looks_like in patterns(numeric=text == "12").items()
        if looks_like(text.lower())
    }
    assert expected - found - patterned == set()


def test_phrases_are_listed_once_per_field() -> None:
    for field, entry in lexicon_data()["fields"].items():
        phrases = [
            phrase for level in lexicon_data()["strengths"] if level != "subject" for phrase in entry.get(level, [])
        ]
        assert len(phrases) == len(set(phrases)), field


@pytest.mark.parametrize(
    ("name", "words", "unit"),
    [
        ("RAM.TotalSizeInMB", {"memory", "total", "size", "in"}, "MB"),
        ("DiskReadsPerSecondInKB.Avg", {"disk", "read", "rate", "in", "avg"}, "KB"),
        ("# vCPUs", {"count", "vcpu"}, None),
        ("Network #1", {"network"}, None),
        ("MACAddress", {"mac", "address"}, None),
        ("netbios_name0", {"netbios", "name"}, None),
        ("OS according to the VMware Tools", {"os"}, None),
        ("CPU usage %", {"cpu", "utilization", "percent"}, "%"),
        ("CPU (MHz)", {"cpu", "frequency"}, "MHz"),
        ("Disk read(ops/sec)", {"disk", "read", "operations", "rate"}, None),
        ("Disk read(MBPS)", {"disk", "read", "rate"}, None),
        ("Replication (Y/N)", {"replication"}, None),
        ("RPO (min)", {"rpo"}, "minutes"),
        ("Größe GB", {"size"}, "GB"),
        ("hostipaddress", {"host", "ip"}, None),
        ("Inbetriebnahme", {"install_date"}, None),
        ("Geschäftsbereich", {"business", "unit"}, None),
        ("", set(), None),
    ],
)
def test_a_name_is_read_into_words_and_a_unit(name: str, words: set[str], unit: str | None) -> None:
    read = read_name(name)
    assert (set(read.words), read.unit) == (words, unit)


def test_a_typing_error_is_marked() -> None:
    assert read_name("enviornment").words == {"environment"}
    assert read_name("enviornment").misspelt
    assert not read_name("environment").misspelt
