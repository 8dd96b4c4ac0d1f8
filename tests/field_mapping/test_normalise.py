"""From the strings of a table to typed columns and a list of what could not be read."""

import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.field_mapping.normalise import MappingMismatch, normalise_table
from tests.field_mapping.source_tables import mapped, source_table


def column(field: str, *cells: str | None, name: str | None = None, unit: str | None = None) -> list[Any]:
    name = name or field
    return normalise_table(source_table({name: list(cells)}, [mapped(name, field, unit)])).frame[field].to_list()


def problems(field: str, *cells: str | None, unit: str | None = None) -> list[tuple[Any, ...]]:
    found = normalise_table(source_table({field: list(cells)}, [mapped(field, field, unit)])).problems
    return found.select("row", "raw", "reason", "lost").rows()


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "  ",
        "-",
        "--",
        "n/a",
        "N/A",
        "none",
        "NULL",
        "Unknown",
        "tbd",
        "?",
        "(blank)",
        "\u00a0",
        "[];",
        "k.A.",
        "not set",
    ],
)
def test_a_word_for_nothing_is_null_and_no_problem(cell: str) -> None:
    for field in ("hostname", "memory_gb", "install_date", "environment", "ip_address", "is_virtual"):
        assert column(field, cell) == [None]
        assert problems(field, cell) == []


@pytest.mark.parametrize("cell", ["#REF!", "#N/A", "#DIV/0!", " #value! "])
def test_a_failed_formula_is_null_and_a_problem(cell: str) -> None:
    for field in ("hostname", "memory_gb", "install_date", "environment", "is_virtual"):
        assert column(field, "x", cell)[1] is None
        assert (3, cell, "a spreadsheet formula that failed", True) in problems(field, "x", cell)


def test_blanks_around_text_are_trimmed() -> None:
    assert column("datacenter", "  Frankfurt\u00a0", "\ufeffOslo") == ["Frankfurt", "Oslo"]


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        ("environment", "PRD", "Production"), ("environment", "Produktion", "Production"),
        ("environment", "prod-01", "Production"),
        ("environment", "Pre-Prod", "Staging"), ("environment", "QA", "Test"), ("environment", "UAT 2", "UAT"),
        ("environment", "Disaster Recovery", "DR"), ("environment", "entwicklung", "Development"),
        ("environment", "Non-Production", "Non-Production"), ("environment", "Mars", "Mars"),
        ("power_state", "poweredOn", "on"), ("power_state", "Powered Off", "off"),
        ("power_state", "Suspended", "suspended"),
        ("criticality", "1 - most critical", "critical"), ("criticality", "Mission Critical", "critical"),
        ("criticality", "Tier 3", "medium"), ("criticality", "Hoch", "high"), ("criticality", "odd", "odd"),
        ("lifecycle_status", "Installed", "active"), ("lifecycle_status", "DECOM", "decommissioned"),
        ("lifecycle_status", "End of Life", "retired"), ("lifecycle_status", "On Order", "planned"),
        ("asset_type", "Virtual Machine", "vm"), ("asset_type", "cmdb_ci_win_server", "server"),
        ("asset_type", "ESXi", "host"),
        ("asset_type", "Business Application", "application"), ("asset_type", "Toaster", "Toaster"),
    ],
)  # fmt: skip
def test_a_spelling_becomes_the_canonical_value_and_an_unknown_one_stays(field: str, cell: str, value: str) -> None:
    assert column(field, cell) == [value]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("yes", True), ("Y", True), ("1", True), ("TRUE", True), ("ja", True), ("Oui", True), ("Virtual", True),
    ("VM", True),
     ("no", False), ("0", False), ("Nein", False), ("Physical", False), ("bare-metal", False)],
)  # fmt: skip
def test_answers_are_booleans(cell: str, value: bool) -> None:
    assert column("is_virtual", cell) == [value]


def test_a_column_that_asks_for_physical_answers_the_opposite() -> None:
    cells = ["Yes", "No", "Physical", None]
    assert column("is_virtual", *cells, name="is Physical?") == [False, True, False, None]


def test_an_answer_that_is_neither_is_a_problem() -> None:
    assert problems("is_virtual", "maybe") == [(2, "maybe", "neither yes nor no", True)]


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("10.0.0.1", "10.0.0.1"), ("[10.0.0.1,10.0.0.2];", "10.0.0.1"), ("10.0.0.1/24", "10.0.0.1"),
        ("10.0.0.1:443", "10.0.0.1"),
        ("fe80::1, 10.1.2.3", "10.1.2.3"), ("127.0.0.1, 10.1.2.3", "10.1.2.3"), ("169.254.3.4; 10.1.2.3", "10.1.2.3"),
        ("[2404:f801:4800::27a];", "2404:f801:4800::27a"), ("169.254.3.4", "169.254.3.4"),
        ("300.1.1.1", None), ("1.2.3.4.5", None), ("web01", None),
    ],
)  # fmt: skip
def test_the_primary_address_is_the_first_usable_ipv4_one(cell: str, address: str | None) -> None:
    assert column("ip_address", cell) == [address]


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("00:50:56:8B:74:7A", "00:50:56:8b:74:7a"), ("00-50-56-8b-74-7a", "00:50:56:8b:74:7a"),
        ("0050.568b.747a", "00:50:56:8b:74:7a"),
        ("0050568B747A", "00:50:56:8b:74:7a"), ("[00:50:56:8b:74:7a,00:50:56:8b:74:7b];", "00:50:56:8b:74:7a"),
        ("00:00:00:00:00:00", None), ("none at all", None),
    ],
)  # fmt: skip
def test_hardware_addresses_are_written_with_colons(cell: str, address: str | None) -> None:
    assert column("mac_address", cell) == [address]


def test_lists_have_one_separator_and_no_repetitions() -> None:
    assert column("dependencies", "db1, lb1;db1 | cache\nmail", "[a,b]") == ["db1; lb1; cache; mail", "a; b"]


def test_types_follow_the_catalogue() -> None:
    assert column("install_date", "04.03.2021 10:00") == [datetime.date(2021, 3, 4)]
    assert column("last_seen", "04.03.2021 10:00") == [datetime.datetime(2021, 3, 4, 10)]  # noqa: DTZ001 - naive UTC
    assert column("cpu_cores", "8 vCPU", "4.0") == [8, 4]
    assert column("rto", "90 min") == [1.5]


@pytest.mark.parametrize(
    ("field", "cell", "words"),
    [("cpu_cores", "4096", "outside 1 to 2,048"), ("memory_gb", "70000", "outside"), ("memory_gb", "0", "outside"),
     ("cpu_utilization_pct", "101", "outside 0 to 100"), ("cpu_cores", "-1", "negative"),
     ("storage_gb", "-1", "negative"),
     ("cpu_cores", "2.5", "not a whole number"), ("memory_gb", "lots", "not a number")],
)  # fmt: skip
def test_an_implausible_number_is_null_and_a_problem(field: str, cell: str, words: str) -> None:
    assert column(field, cell) == [None]
    (problem,) = problems(field, cell)
    assert problem[:2] == (2, cell)
    assert words in problem[2]


def test_every_repetition_of_an_unreadable_value_is_a_problem_of_its_own_row() -> None:
    cells = ["8", "x"] * 50
    assert [row for row, *_ in problems("cpu_cores", *cells)] == list(range(3, 103, 2))


def test_a_column_of_open_dates_has_one_remark_and_keeps_its_values() -> None:
    cells = ["03/04/2021", "05/06/2021", "03/04/2021"]
    (remark,) = problems("install_date", *cells)
    assert remark[:2] == (2, "03/04/2021")
    assert remark[3] is False
    assert column("install_date", *cells)[0] == datetime.date(2021, 3, 4)


def test_the_most_confident_filled_column_wins() -> None:
    columns: dict[str, list[str | None]] = {"a": ["n/a", "4096", "x"], "b": ["8", "16", "32"]}
    mapping = [mapped("b", "memory_gb", "GB", confidence=0.7), mapped("a", "memory_gb", "MB", confidence=0.9)]
    assert normalise_table(source_table(columns, mapping)).frame["memory_gb"].to_list() == [8, 4, 32]


def test_only_accepted_columns_are_used() -> None:
    columns: dict[str, list[str | None]] = {"a": ["web01"], "b": ["x"], "c": ["y"]}
    mapping = [mapped("a", "hostname"), mapped("b", "cluster", status="review"), mapped("c", None, status="unmapped")]
    assert normalise_table(source_table(columns, mapping)).frame.columns == ["_row", "hostname"]


def test_cores_are_sockets_times_cores_per_socket_where_missing() -> None:
    columns: dict[str, list[str | None]] = {"cpu_sockets": ["2", "2", None], "cores_per_socket": ["8", "8", "8"]}
    assert normalise_table(source_table(columns)).frame["cpu_cores"].to_list() == [16, 16, None]
    given_cores = {**columns, "cpu_cores": [None, "4", None]}
    assert normalise_table(source_table(given_cores)).frame["cpu_cores"].to_list() == [16, 4, None]


def test_localhost_names_no_machine() -> None:
    assert column("hostname", "localhost.localdomain", "localhost01") == [None, "localhost01"]


@pytest.mark.parametrize(
    ("mapping", "words"),
    [(mapped("a", "nonsense"), "'nonsense' is not a field of inventory"), (mapped("b", "hostname"), "no such column"),
     (mapped("a", "memory_gb", "MHz"), "'MHz' does not convert to GB")],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_names_file_sheet_and_column(mapping: Any, words: str) -> None:
    with pytest.raises(MappingMismatch, match=words) as failure:
        normalise_table(source_table({"a": ["1"]}, [mapping], sheet="vInfo"))
    assert str(failure.value).startswith(f"export.csv [vInfo], column '{mapping.column}': ")


def test_ports_may_name_their_protocol() -> None:
    table = source_table({"port": ["443", "443/tcp", "tcp 8080", "70000", "any"]}, kind="connections")
    assert normalise_table(table).frame["port"].to_list() == [443, 443, 8080, None, None]
    assert normalise_table(table).problems.height == 2


CELLS = st.one_of(
    st.none(),
    st.text(max_size=10),
    st.sampled_from(["16 GB", "1.024", "10.0.0.1", "#REF!", "n/a", "03/04/2021", "yes"]),
)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(CELLS, min_size=1, max_size=30),
    st.sampled_from(
        [
            "memory_gb",
            "cpu_cores",
            "install_date",
            "last_seen",
            "is_virtual",
            "ip_address",
            "mac_address",
            "rto",
            "environment",
        ]
    ),
)
def test_a_cell_is_read_empty_or_a_problem(cells: list[str | None], field: str) -> None:
    read = normalise_table(source_table({field: cells}))
    lost = read.problems.filter("lost")
    assert lost["row"].is_unique().all()
    assert read.frame.filter(pl.col("_row").is_in(lost["row"].implode()))[field].null_count() == lost.height


@settings(deadline=None, max_examples=40)
@given(
    st.lists(CELLS, min_size=1, max_size=12), st.sampled_from(["memory_gb", "install_date", "ip_address", "is_virtual"])
)
def test_repeating_rows_changes_no_value(cells: list[str | None], field: str) -> None:
    assert column(field, *cells) * 3 == column(field, *(cells * 3))
