"""Requests that start flows, and what a good worker answers to each request of a flow."""

from typing import Any
from uuid import UUID, uuid4

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskRequested
from contracts.assessment import AssessmentInputs, AssessmentRequested, SixRCompleted, SixRRequested
from contracts.collection import CollectionRequested
from contracts.discovery import (
    ColumnMapping,
    DataImportCompleted,
    DataImportRequested,
    DependencyAnalysisCompleted,
    DependencyAnalysisRequested,
    DiscoveryRequested,
    FieldMappingCompleted,
    FieldMappingRequested,
    ImportFile,
    InventoryCompleted,
    InventoryRequested,
    MappingStatus,
    QualityReport,
    ReportInputs,
    TableMapping,
    TableProfile,
)
from contracts.envelope import BlobRef, Event, Problem, Tenant
from contracts.flows import ApprovalDecided, ApprovalRequested, Decision
from contracts.modernization import ModernizationRequested
from contracts.planning import (
    PlanInputs,
    PlanningRequested,
    ReportCompleted,
    ReportRequested,
    Wave,
    WavePlanningCompleted,
    WavePlanningRequested,
)

TENANT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=2))
TABLE_ID = UUID(int=3)
IMPORT_ID = UUID(int=4)
QUALITY = QualityReport(
    rows_read=12,
    assets=10,
    duplicates_merged=1,
    rows_rejected=1,
    completeness=0.9,
    validity=0.8,
    uniqueness=0.7,
    fields=[],
)


def blob(name: str) -> BlobRef:
    return BlobRef(key=name, sha256="0" * 64, size_bytes=1, media_type="application/vnd.apache.parquet")


REPORT = ReportInputs(quality=QUALITY, mappings=[], files=["a.csv"])
ASSESSMENT_INPUTS = AssessmentInputs(
    assets=blob("assets"), applications=blob("applications"), dependencies=blob("dependencies")
)
PLAN_INPUTS = PlanInputs(
    assets=blob("assets"),
    applications=blob("applications"),
    dependencies=blob("dependencies"),
    assessments=blob("assessments"),
)


def a_discovery(tenant: Tenant = TENANT, **data: Any) -> DiscoveryRequested:
    file = ImportFile(import_id=IMPORT_ID, file_name="a.csv", file=blob("upload"))
    data = {"import_ids": [IMPORT_ID], "files": [file], **data}
    return DiscoveryRequested(tenant=tenant, flow_id=uuid4(), **data)


def an_assessment(tenant: Tenant = TENANT, **data: Any) -> AssessmentRequested:
    return AssessmentRequested(tenant=tenant, flow_id=uuid4(), inputs=ASSESSMENT_INPUTS, report=REPORT, **data)


def a_planning(tenant: Tenant = TENANT, **data: Any) -> PlanningRequested:
    return PlanningRequested(tenant=tenant, flow_id=uuid4(), inputs=PLAN_INPUTS, report=REPORT, **data)


def a_collection(tenant: Tenant = TENANT, **data: Any) -> CollectionRequested:
    return CollectionRequested(tenant=tenant, flow_id=uuid4(), discovery_flow_id=UUID(int=5), **data)


def a_modernization(tenant: Tenant = TENANT, **data: Any) -> ModernizationRequested:
    return ModernizationRequested(tenant=tenant, flow_id=uuid4(), repository_url="file:///shop.git", **data)


def mapped(column: str, field: str | None, status: MappingStatus) -> ColumnMapping:
    return ColumnMapping(column=column, field=field, confidence=0.5, status=status, reason="Looks like it.")


def to_review(*columns: ColumnMapping) -> TableMapping:
    return TableMapping(table_id=TABLE_ID, file_name="a.csv", kind="inventory", columns=list(columns))


def answer(request: Event, review: bool = False, **outputs: Any) -> Event:
    """What completes the phase that sent `request`.

    With `review`, a field mapping that leaves a doubt; `outputs` are those of an agent task, `passed` by default.
    """
    if isinstance(request, AgentTaskRequested):
        # As those senders do who know of no task's id.
        return AgentTaskCompleted.reply_to(request, task_id=None, outputs=outputs or {"passed": True})
    if isinstance(request, DataImportRequested):
        table = TableProfile(
            table_id=TABLE_ID,
            import_id=IMPORT_ID,
            file_name="a.csv",
            kind="inventory",
            header_row=1,
            row_count=12,
            columns=[],
            rows=blob("rows"),
        )
        return DataImportCompleted.reply_to(request, tables=[table])
    if isinstance(request, FieldMappingRequested):
        doubt = mapped("Nm", "hostname", "review" if review else "accepted")
        mapping = to_review(mapped("IP", "ip_address", "accepted"), doubt)
        return FieldMappingCompleted.reply_to(request, mappings=[mapping], review_count=int(review))
    if isinstance(request, InventoryRequested):
        refs = {
            name: blob(name) for name, field in InventoryCompleted.model_fields.items() if field.annotation is BlobRef
        }
        return InventoryCompleted.reply_to(
            request,
            **refs,
            asset_count=10,
            application_count=4,
            connection_count=3,
            quality=QUALITY,
            assets_by_environment={},
            assets_by_operating_system={},
        )
    if isinstance(request, DependencyAnalysisRequested):
        return DependencyAnalysisCompleted.reply_to(
            request, applications=blob("found"), dependencies=blob("edges"), application_count=5, dependency_count=6
        )
    if isinstance(request, SixRRequested):
        return SixRCompleted.reply_to(
            request, assessments=blob("assessed"), application_count=5, distribution={"rehost": 3, "retire": 2}
        )
    if isinstance(request, WavePlanningRequested):
        wave = Wave(
            number=1,
            name="Pilot",
            application_ids=[uuid4()],
            application_names=["shop"],
            asset_count=2,
            risk=0.1,
            move_groups=1,
            reason="The least risk.",
        )
        return WavePlanningCompleted.reply_to(request, plan=blob("plan"), waves=[wave], unplanned={"retire": 2})
    if isinstance(request, ReportRequested):
        return ReportCompleted.reply_to(request, files={"html": blob("report")})
    raise AssertionError(f"no phase asks with {request.type_name}")


def failure(event_class: type[Event] | None, request: Event, code: str = "empty_file") -> Event:
    """The failed outcome of a request."""
    assert event_class is not None
    task = {"task": request.task} if isinstance(request, AgentTaskRequested) else {}
    return event_class.reply_to(request, problem=Problem(code=code, detail="The file is empty."), **task)


def decision(task: ApprovalRequested, verdict: Decision = "approve", **data: Any) -> ApprovalDecided:
    """A person's decision on a task."""
    return ApprovalDecided(
        tenant=task.tenant,
        flow_id=task.flow_id,
        task_id=task.task_id,
        kind=task.kind,
        decision=verdict,
        decided_by="Ada",
        **data,
    )
