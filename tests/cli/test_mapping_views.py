"""Mappings as people read them: that a column means nothing is a claim like any other, with how sure it is."""

import io
from uuid import UUID, uuid4

from rich.console import Console, RenderableType

from contracts.discovery import ColumnMapping, MappingStatus, TableMapping
from contracts.rest import ApprovalView
from services.cli.approval_views import approval_view
from services.cli.flow_views import mapping_table


def column(name: str, field: str | None, status: MappingStatus, confidence: float, *alternatives: str) -> ColumnMapping:
    return ColumnMapping(
        column=name, field=field, confidence=confidence, status=status, reason="", alternatives=list(alternatives)
    )


def approval(*columns: ColumnMapping) -> ApprovalView:
    mapping = TableMapping(table_id=UUID(int=1), file_name="a.csv", kind="inventory", columns=list(columns))
    details = {"mappings": [mapping.model_dump(mode="json")]}
    return ApprovalView(
        task_id=uuid4(), flow_id=uuid4(), kind="field_mapping", title="?", details=details, status="pending",
        expires_at=None,
    )  # fmt: skip


def read(view: RenderableType) -> str:
    file = io.StringIO()
    Console(file=file, width=200).print(view)
    return file.getvalue()


def test_who_decides_on_a_mapping_is_asked_about_what_seems_to_mean_nothing() -> None:
    vague = column("Vague", None, "review", 0.49, "storage_gb", "memory_gb")
    shown = read(approval_view(approval(vague, column("Sure", None, "unmapped", 0.97, "cluster"))))
    assert "1 doubtful column, 1 clear" in shown
    assert next(line for line in shown.splitlines() if "Vague" in line).split() == [
        "Vague", "nothing", "49%", "storage_gb,", "memory_gb",
    ]  # fmt: skip
    assert "Sure" not in shown


def test_a_table_without_doubts_says_so() -> None:
    shown = read(approval_view(approval(column("Sure", None, "unmapped", 0.97, "cluster"))))
    assert shown.strip() == "a.csv  1 column, none doubtful"


def test_a_column_that_means_nothing_says_how_sure_that_is() -> None:
    shown = read(mapping_table([column("Vague", None, "review", 0.49), column("Unknown", None, "unmapped", 0)]))
    vague, unknown = (next(line for line in shown.splitlines() if name in line) for name in ("Vague", "Unknown"))
    assert vague.split() == ["Vague", "nothing", "49%", "review"]
    assert unknown.split() == ["Unknown", "–", "unmapped"]
