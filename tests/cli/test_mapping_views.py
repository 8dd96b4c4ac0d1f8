"""Mappings as people read them: that a column means nothing is a claim like any other, with how sure it is."""

import io
from uuid import UUID, uuid4

import pytest
from rich.console import Console, RenderableType

from contracts.discovery import ColumnMapping, MappingStatus, TableMapping
from contracts.rest import ApprovalView
from services.cli.approval_views import approval_view
from services.cli.flow_views import mapping_table


def column(name: str, status: MappingStatus, confidence: float, *alternatives: str) -> ColumnMapping:
    field = None if status == "unmapped" else "hostname"
    return ColumnMapping(
        column=name, field=field, confidence=confidence, status=status, reason="", alternatives=list(alternatives)
    )


DOUBTED = [
    column("Vague", "unmapped", 0.49, "storage_gb", "memory_gb"),
    column("Sure", "unmapped", 0.97, "cluster"),
    column("Alone", "unmapped", 0.6),
]


def read(view: RenderableType) -> str:
    file = io.StringIO()
    Console(file=file, width=200).print(view)
    return file.getvalue()


@pytest.mark.parametrize("asked", [[column("Name", "review", 0.7)], []])
def test_who_decides_on_a_mapping_sees_what_is_left_out_without_being_sure(asked: list[ColumnMapping]) -> None:
    mapping = TableMapping(table_id=UUID(int=1), file_name="a.csv", kind="inventory", columns=[*asked, *DOUBTED])
    details = {"mappings": [mapping.model_dump(mode="json")]}
    approval = ApprovalView(
        task_id=uuid4(), flow_id=uuid4(), kind="field_mapping", title="?", details=details, status="pending",
        expires_at=None,
    )  # fmt: skip
    shown = read(approval_view(approval))
    assert "Left out, though they might mean something: Vague (storage_gb, memory_gb)\n" in shown
    assert "Sure" not in shown
    assert "Alone" not in shown


def test_a_column_that_means_nothing_says_how_sure_that_is() -> None:
    shown = read(mapping_table([*DOUBTED, column("Unknown", "unmapped", 0)]))
    assert "49%" in next(line for line in shown.splitlines() if "Vague" in line)
    assert "%" not in next(line for line in shown.splitlines() if "Unknown" in line)
