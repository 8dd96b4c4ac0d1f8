"""Changes to a mapping as people type them."""

from uuid import UUID, uuid4

import pytest

from contracts.discovery import ColumnMapping, TableMapping
from contracts.flows import ApprovalKind
from contracts.rest import ApprovalView
from services.cli.mapping_edits import edits_by_table
from services.cli.terminal import CommandFailed

SERVERS, HOSTS = UUID(int=1), UUID(int=2)


def approval(kind: ApprovalKind = "field_mapping") -> ApprovalView:
    tables = [
        TableMapping(
            table_id=table_id,
            file_name=name,
            kind="inventory",
            columns=[ColumnMapping(column=c, field=None, confidence=0, status="review", reason="") for c in columns],
        )
        for table_id, name, columns in (
            (SERVERS, "servers.csv", ["Tier", "Name", "A=B"]),
            (HOSTS, "hosts.csv", ["Name"]),
        )
    ]
    details = {"mappings": [table.model_dump(mode="json") for table in tables]}
    return ApprovalView(
        task_id=uuid4(), flow_id=uuid4(), kind=kind, title="the question", details=details, status="pending",
        expires_at=None,
    )  # fmt: skip


def test_no_edits_change_nothing() -> None:
    assert edits_by_table([], approval("wave_plan")) == {}


def test_a_column_gets_another_field() -> None:
    assert edits_by_table(["Tier=criticality"], approval()) == {str(SERVERS): {"Tier": "criticality"}}


def test_an_empty_field_maps_to_nothing() -> None:
    assert edits_by_table(["Tier="], approval()) == {str(SERVERS): {"Tier": None}}


def test_a_unit_is_corrected_with_or_without_the_field() -> None:
    edits = edits_by_table(["Tier=memory_gb in mb", "servers.csv:Name=in GiB"], approval())
    assert edits == {str(SERVERS): {"Tier": {"field": "memory_gb", "unit": "MB"}, "Name": {"unit": "GiB"}}}


def test_a_column_of_connections_gets_one_of_their_fields() -> None:
    asked = approval()
    asked.details["mappings"][1]["kind"] = "connections"
    assert edits_by_table(["hosts.csv:Name=process"], asked) == {str(HOSTS): {"Name": "process"}}


def test_the_last_equals_sign_separates() -> None:
    assert edits_by_table(["A=B=hostname"], approval()) == {str(SERVERS): {"A=B": "hostname"}}


def test_a_file_tells_columns_of_one_name_apart() -> None:
    edits = ["hosts.csv:Name=vm_name", "servers.csv:Name=hostname"]
    assert edits_by_table(edits, approval()) == {str(HOSTS): {"Name": "vm_name"}, str(SERVERS): {"Name": "hostname"}}


@pytest.mark.parametrize(
    ("edit", "hint"),
    [
        ("Name=hostname", "servers.csv:Name, hosts.csv:Name"),
        ("Teir=criticality", "Did you mean Tier?"),
        ("Tier=criticallity", "Did you mean criticality"),
        ("Zzz=hostname", "--show"),
        ("Tier", "COLUMN=FIELD"),
        ("=hostname", "COLUMN=FIELD"),
        ("Tier=memory_gb in bananas", "'bananas' is no unit"),
    ],
)
def test_a_wrong_edit_says_what_would_be_right(edit: str, hint: str) -> None:
    with pytest.raises(CommandFailed, match=hint.replace("?", r"\?")) as failure:
        edits_by_table([edit], approval())
    assert failure.value.exit_code == 2


def test_a_wave_plan_cannot_be_edited() -> None:
    with pytest.raises(CommandFailed, match="the question"):
        edits_by_table(["Tier=criticality"], approval("wave_plan"))
