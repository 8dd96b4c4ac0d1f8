"""Discovery: read the files, map their columns (a person settles the doubtful ones), clean, find dependencies."""

from dataclasses import replace
from typing import Any
from uuid import uuid5

from contracts.assessment import AssessmentInputs, AssessmentRequested
from contracts.discovery import (
    DataImportCompleted,
    DataImportFailed,
    DataImportRequested,
    DependencyAnalysisCompleted,
    DependencyAnalysisFailed,
    DependencyAnalysisRequested,
    DiscoveryCompleted,
    DiscoveryFailed,
    DiscoveryRequested,
    DiscoveryStarted,
    FieldMappingCompleted,
    FieldMappingFailed,
    FieldMappingRequested,
    InventoryCompleted,
    InventoryFailed,
    InventoryRequested,
    PhaseReadiness,
    ReportInputs,
)
from contracts.envelope import Event
from contracts.flows import ApprovalDecided
from services.flow_orchestrator.flow_type import Choice, FlowType, Gate, Phase
from services.flow_orchestrator.flows.mapping_advice import ADVICE, advice_phase, asks_an_agent, mapping_advice_work
from services.flow_orchestrator.flows.mapping_review import decided_mappings
from services.flow_orchestrator.flows.readiness_gate import among, readiness_gate
from services.flow_orchestrator.state import FlowState


def _review(state: FlowState) -> dict[str, Any]:
    mappings = state.result(FieldMappingCompleted).mappings
    return {"mappings": [mapping.model_dump(mode="json") for mapping in mappings]}


def _apply_review(state: FlowState, decision: ApprovalDecided) -> FlowState:
    proposed = state.result(FieldMappingCompleted)
    mappings = decided_mappings(proposed.mappings, decision.edits, decision.decided_by)
    return state.with_result(proposed.model_copy(update={"mappings": mappings, "review_count": 0}))


def _outcome(state: FlowState) -> dict[str, Any]:
    inventory, found = state.result(InventoryCompleted), state.result(DependencyAnalysisCompleted)
    return {
        "asset_count": inventory.asset_count,
        "application_count": found.application_count,
        "dependency_count": found.dependency_count,
        "quality": inventory.quality,
    }


def _assessment(state: FlowState) -> Event | None:
    request = state.result(DiscoveryRequested)
    if "assessment" not in request.then:
        return None
    inventory, found = state.result(InventoryCompleted), state.result(DependencyAnalysisCompleted)
    return AssessmentRequested(
        tenant=state.tenant,
        flow_id=uuid5(state.flow_id, "assessment"),
        parent_flow_id=state.flow_id,
        inputs=AssessmentInputs(
            assets=inventory.assets, applications=found.applications, dependencies=found.dependencies
        ),
        report=ReportInputs(
            quality=inventory.quality,
            mappings=state.result(FieldMappingCompleted).mappings,
            files=[file.file_name for file in request.files],
            agents=mapping_advice_work(state),
        ),
        then=["planning"] if "planning" in request.then else [],
    )


def _child_row(state: FlowState) -> dict[str, Any]:
    row: dict[str, Any] = {"import_ids": [str(each) for each in state.result(DiscoveryRequested).import_ids]}
    if state.has_result(InventoryCompleted):
        inventory = state.result(InventoryCompleted)
        row |= {"asset_count": inventory.asset_count, "completeness": inventory.quality.completeness}
    if state.has_result(DependencyAnalysisCompleted):
        found = state.result(DependencyAnalysisCompleted)
        row |= {"application_count": found.application_count, "dependency_count": found.dependency_count}
    return row


DISCOVERY_1 = FlowType(
    name="discovery",
    version=1,
    requested=DiscoveryRequested,
    started=DiscoveryStarted,
    completed=DiscoveryCompleted,
    failed=DiscoveryFailed,
    phases=(
        Phase(
            name="data_import",
            asks=DataImportRequested,
            awaits=DataImportCompleted,
            fails_with=DataImportFailed,
            request=lambda state: {"files": state.result(DiscoveryRequested).files},
            summary=lambda done: {"tables": len(done.tables), "rows": sum(table.row_count for table in done.tables)},
        ),
        Phase(
            name="field_mapping",
            asks=FieldMappingRequested,
            awaits=FieldMappingCompleted,
            fails_with=FieldMappingFailed,
            request=lambda state: {"tables": state.result(DataImportCompleted).tables},
            summary=lambda done: {
                "columns": sum(len(mapping.columns) for mapping in done.mappings),
                "mapped": sum(column.status == "accepted" for mapping in done.mappings for column in mapping.columns),
                "to_review": done.review_count,
            },
            gate=Gate(
                kind="field_mapping",
                title="the mapping of doubtful columns",
                needed=lambda state: state.result(FieldMappingCompleted).review_count > 0,
                details=_review,
                apply=_apply_review,
            ),
        ),
        Phase(
            name="inventory",
            asks=InventoryRequested,
            awaits=InventoryCompleted,
            fails_with=InventoryFailed,
            request=lambda state: {
                "tables": state.result(DataImportCompleted).tables,
                "mappings": state.result(FieldMappingCompleted).mappings,
            },
            summary=lambda done: {
                "assets": done.asset_count,
                "duplicates_merged": done.quality.duplicates_merged,
                "rows_rejected": done.quality.rows_rejected,
                "completeness": done.quality.completeness,
            },
        ),
        Phase(
            name="dependency_analysis",
            asks=DependencyAnalysisRequested,
            awaits=DependencyAnalysisCompleted,
            fails_with=DependencyAnalysisFailed,
            request=lambda state: {
                name: getattr(state.result(InventoryCompleted), name)
                for name in ("assets", "applications", "connections")
            },
            summary=lambda done: {
                "applications": done.application_count,
                "dependencies": done.dependency_count,
                "unmatched_ends": done.unmatched_ends,
            },
        ),
    ),
    announce=lambda state: {"import_ids": state.result(DiscoveryRequested).import_ids},
    outcome=_outcome,
    child_row=_child_row,
    next_flow=_assessment,
    may_start=(AssessmentRequested,),
)


def _not_ready(state: FlowState) -> list[PhaseReadiness]:
    return among(state.result(InventoryCompleted).readiness, state.result(DiscoveryRequested).then)


# Asks a person where the inventory is not ready for what is to follow: here it can still be made so.
DISCOVERY_2 = replace(
    DISCOVERY_1,
    version=2,
    phases=tuple(
        replace(phase, gate=readiness_gate(_not_ready)) if phase.name == "inventory" else phase
        for phase in DISCOVERY_1.phases
    ),
    migrations={1: lambda state: state},
)


def _with_advice(phase: Phase) -> tuple[Phase, ...]:
    """The phases in place of one: an agent may look at doubtful columns before a person does."""
    if phase.name != "field_mapping" or phase.gate is None:
        return (phase,)
    alone = replace(phase.gate, needed=lambda state: not asks_an_agent(state) and _doubtful(state))
    asking = replace(phase, gate=alone, then=Choice(((asks_an_agent, ADVICE),), otherwise="inventory"))
    return asking, advice_phase(phase.gate)


def _doubtful(state: FlowState) -> bool:
    return state.result(FieldMappingCompleted).review_count > 0


# Where the tenant has a model, an agent looks at the doubtful columns first; what it says stands beside the rules'.
DISCOVERY = replace(
    DISCOVERY_2,
    version=3,
    phases=tuple(each for phase in DISCOVERY_2.phases for each in _with_advice(phase)),
    migrations={1: lambda state: state, 2: lambda state: state},
)
