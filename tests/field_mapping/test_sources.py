"""Sources are recognised by their headers, and what changed in one is said."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.discovery import ColumnProfile, TableProfile
from services.field_mapping.drift import drift_of
from services.field_mapping.sources import KnownHeader, file_family, header_keys, mapping_id_of, recognise, source_name
from tests.field_mapping.test_matching import Columns, table

VMS: Columns = {
    "VM": ["web01", "db01", "app01"],
    "Powerstate": ["poweredOn"],
    "CPUs": ["2", "4"],
    "Memory MB": ["4096", "8192", "16384"],
    "OS": ["RHEL 8"],
}


def renamed(columns: Columns, was: str, becomes: str) -> Columns:
    return {becomes if name == was else name: values for name, values in columns.items()}


def known(columns: Columns, sheet: str | None = None) -> KnownHeader:
    profile = table(columns, sheet=sheet)
    family = file_family(profile.file_name, sheet)
    mapping_id = mapping_id_of(profile.kind, family, header_keys(columns))
    return KnownHeader(mapping_id, mapping_id, "Our VMs", profile.kind, family, profile.columns)


def test_a_new_header_is_a_new_source() -> None:
    source = recognise(table(VMS), [])
    assert (source.known, source.name, source.drift) == (False, "export", [])


def test_a_known_header_is_recognised_in_any_order_case_and_punctuation() -> None:
    header = known(VMS)
    for columns in (VMS, dict(reversed(VMS.items())), renamed(VMS, "Memory MB", "memory_mb")):
        source = recognise(table(columns), [header])
        assert (source.source_id, source.name, source.known, source.drift) == (header.source_id, "Our VMs", True, [])


def test_a_changed_header_is_the_same_source_with_its_drift() -> None:
    columns = {**renamed(VMS, "Memory MB", "Memory MiB"), "Notes": ["x"]}
    del columns["Powerstate"]
    source = recognise(table(columns), [known(VMS)])
    assert source.known
    assert [(each.change, each.column, each.was) for each in source.drift] == [
        ("renamed", "Memory MiB", "Memory MB"),
        ("added", "Notes", None),
        ("removed", "Powerstate", None),
    ]
    assert source.drift[0].reason == (
        "“Memory MB” became “Memory MiB”: the names differ little, 3 of 3 sample values are the same, "
        "it stands between the same columns."
    )


def test_the_most_similar_of_several_sources_is_recognised() -> None:
    near, far = known(VMS), known({**VMS, "A": [], "B": [], "C": []})
    changed = {**VMS, "Notes": ["x"]}
    assert recognise(table(changed), [far, near]).source_id == near.source_id


def test_another_sheet_kind_of_table_or_kind_of_file_is_another_source() -> None:
    header = known(VMS)
    assert not recognise(table(VMS, sheet="vInfo"), [header]).known
    assert not recognise(table(VMS, kind="applications"), [header]).known
    workbook = table(VMS).model_copy(update={"file_name": "export.xlsx"})
    assert not recognise(workbook, [header]).known


def test_a_few_common_columns_do_not_make_one_source() -> None:
    assert not recognise(table({"VM": [], "OS": []}), [known(VMS)]).known
    other: Columns = {"VM": [], "OS": [], "CPUs": [], "a": [], "b": [], "c": [], "d": []}
    assert not recognise(table(other), [known(VMS)]).known


def column(name: str, *samples: str) -> ColumnProfile:
    return ColumnProfile(name=name, filled=len(samples), distinct=len(samples), samples=list(samples))


def test_a_column_with_the_same_values_in_the_same_place_was_renamed_whatever_its_name() -> None:
    before = [column("VM", "a"), column("Cluster", "k1", "k2", "k3"), column("OS", "x")]
    after = [column("VM", "b"), column("Verbund", "k1", "k2", "k3"), column("OS", "x")]
    (change,) = drift_of(before, after)
    assert (change.change, change.was, change.column) == ("renamed", "Cluster", "Verbund")
    assert "3 of 3 sample values are the same, it stands between the same columns" in change.reason


def test_a_numbered_column_is_not_the_next_one_renamed() -> None:
    changes = drift_of([column("VM"), column("Disk 1 size")], [column("VM"), column("Disk 2 size")])
    assert {change.change for change in changes} == {"added", "removed"}


def test_yes_and_no_in_both_do_not_make_a_column_renamed() -> None:
    changes = drift_of([column("Backup", "yes", "no"), column("VM")], [column("VM"), column("Is prod", "yes", "no")])
    assert {change.change for change in changes} == {"added", "removed"}


def test_a_new_source_is_called_after_its_file_without_what_changes_with_each_export() -> None:
    names = [
        ("RVTools_export_2026-11-20.xlsx", "vInfo"),
        ("Server list final v2.csv.gz", None),
        ("2026-11-01.csv", None),
    ]
    assert [source_name(*name) for name in names] == ["RVTools / vInfo", "Server list", "2026-11-01"]


def test_a_packed_file_is_of_the_family_of_what_is_in_it() -> None:
    assert file_family("a.csv.gz", None) == file_family("b.TSV", None) == "text"
    assert file_family("a.xlsx", "vInfo ") == file_family("b.xlsm", "VINFO") == "workbook/vinfo"


NAMES = st.lists(st.text(min_size=1, max_size=12), max_size=8)


@given(NAMES, st.randoms(use_true_random=False))
def test_the_fingerprint_does_not_depend_on_the_order(names: list[str], shuffle: object) -> None:
    shuffled = list(names)
    shuffle.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random of Hypothesis
    one, other = (mapping_id_of("inventory", "text", header_keys(each)) for each in (names, shuffled))
    assert one == other


@given(NAMES, NAMES)
def test_every_difference_of_two_headers_is_told_once(before: list[str], after: list[str]) -> None:
    changes = drift_of([column(name) for name in before], [column(name) for name in after])
    olds, news = header_keys(before), header_keys(after)
    came = [each.column for each in changes if each.change in ("added", "renamed")]
    gone = [each.was or each.column for each in changes if each.change in ("removed", "renamed")]
    assert (header_keys(came), len(came)) == (news - olds, len(news - olds))
    assert (header_keys(gone), len(gone)) == (olds - news, len(olds - news))


def test_a_table_without_columns_has_a_source() -> None:
    empty: TableProfile = table({})
    assert recognise(empty, [known(VMS)]).known is False
