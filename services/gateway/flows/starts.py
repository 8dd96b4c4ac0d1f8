"""What POST /flows asks the orchestrator for: each body becomes the request event of its flow type."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.assessment import AssessmentInputs, AssessmentRequested
from contracts.catalog import CATALOG
from contracts.collection import CollectionRequested
from contracts.discovery import DiscoveryRequested, ReportInputs
from contracts.envelope import Event, Tenant, uuid7
from contracts.modernization import ModernizationRequested
from contracts.planning import PlanInputs, PlanningRequested
from contracts.rest_flows import (
    AnyStart,
    AssessmentStart,
    CollectionStart,
    DiscoveryStart,
    ModernizationStart,
    PlanningStart,
)
from services.chassis.errors import Conflict, ExpectedFailure, NotFound
from services.gateway.flows.discovery_start import with_files
from services.gateway.flows.lineage import holder
from services.gateway.flows.requested_flows import show_requested
from services.gateway.read_model.flow_tables import FlowImport, FlowResult
from services.gateway.tables import Approval, Flow, Mappings, Upload


async def requested(session: AsyncSession, tenant: Tenant, body: AnyStart) -> Event:
    """The event that asks for the flow, which is shown as asked for; raises what says why it cannot be started."""
    envelope: dict[str, Any] = {"tenant": tenant, "flow_id": uuid7(), "options": body.options}
    request: DiscoveryRequested | AssessmentRequested | PlanningRequested | CollectionRequested | ModernizationRequested
    parent_flow_id: UUID | None = None
    match body:
        case DiscoveryStart():
            request = DiscoveryRequested(**envelope, import_ids=body.import_ids, then=body.then)
            return await with_files(session, request)
        case AssessmentStart():
            request, parent_flow_id = await _assessment(session, envelope, body), body.discovery_flow_id
        case PlanningStart():
            request, parent_flow_id = await _planning(session, envelope, body), body.assessment_flow_id
        case CollectionStart():
            await _flow(session, body.discovery_flow_id, "discovery")
            if unknown := [field for field in body.fields if field not in CATALOG]:
                raise ExpectedFailure("unknown_field", f"There is no canonical field {unknown[0]!r}.")
            request = CollectionRequested(
                **envelope, discovery_flow_id=body.discovery_flow_id, fields=list(dict.fromkeys(body.fields))
            )
        case ModernizationStart():
            about = {"repository_url": body.repository_url, "branch": body.branch, "goals": body.goals}
            request = ModernizationRequested(**envelope, **about)
    await show_requested(session, request, body.flow_type, body.options, parent_flow_id=parent_flow_id)
    return request


async def _assessment(session: AsyncSession, envelope: dict[str, Any], body: AssessmentStart) -> AssessmentRequested:
    await _flow(session, body.discovery_flow_id, "discovery")
    found = await _results(session, body.discovery_flow_id, "inventory", "dependency_analysis")
    return AssessmentRequested(
        **envelope,
        parent_flow_id=body.discovery_flow_id,
        inputs=AssessmentInputs.model_validate(found),
        report=await _report(session, body.discovery_flow_id, found),
        readiness=await _readiness(session, body.discovery_flow_id, found),
        then=body.then,
    )


async def _planning(session: AsyncSession, envelope: dict[str, Any], body: PlanningStart) -> PlanningRequested:
    assessment = await _flow(session, body.assessment_flow_id, "assessment")
    discovery_flow_id = assessment.parent_flow_id
    if discovery_flow_id is None:
        raise _no_results(body.assessment_flow_id)
    found = await _results(session, discovery_flow_id, "inventory", "dependency_analysis")
    assessed = await _results(session, body.assessment_flow_id, "six_r")
    return PlanningRequested(
        **envelope,
        parent_flow_id=body.assessment_flow_id,
        inputs=PlanInputs.model_validate({**found, **assessed}),
        report=await _report(session, discovery_flow_id, found),
        readiness=await _readiness(session, discovery_flow_id, found, body.assessment_flow_id),
        limits=body.limits,
    )


async def _flow(session: AsyncSession, flow_id: UUID, flow_type: str) -> Flow:
    flow = await session.scalar(select(Flow).where(Flow.flow_id == flow_id, Flow.flow_type == flow_type))
    if flow is None:
        raise NotFound("flow_not_found", f"There is no {flow_type} {flow_id} in this engagement.")
    if flow.status != "completed":
        raise Conflict(
            "flow_not_completed",
            f"The {flow_type} {flow_id} is {flow.status}; its results exist once it has completed.",
        )
    return flow


async def _results(session: AsyncSession, flow_id: UUID, *names: str) -> dict[str, Any]:
    """What the flow, or the one it was forked from, keeps under these names, in one."""
    found: dict[str, Any] = {}
    for name in names:
        statement = select(FlowResult.result).where(FlowResult.name == name)
        source = await holder(session, flow_id, FlowResult.flow_id, FlowResult.name == name)
        result = await session.scalar(statement.where(FlowResult.flow_id == source))
        if result is None:
            raise _no_results(flow_id)
        found |= result
    return found


async def _report(session: AsyncSession, flow_id: UUID, found: dict[str, Any]) -> ReportInputs:
    """How the inventory of a discovery came to be."""
    source = await holder(session, flow_id, Mappings.flow_id)
    mappings = await session.scalar(select(Mappings.mappings).where(Mappings.flow_id == source))
    files = await session.scalars(
        select(Upload.file_name)
        .join(FlowImport, FlowImport.import_id == Upload.import_id)
        .where(FlowImport.flow_id == flow_id)
    )
    return ReportInputs.model_validate({"quality": found["quality"], "mappings": mappings or [], "files": list(files)})


async def _readiness(session: AsyncSession, discovery_flow_id: UUID, found: dict[str, Any], *later: UUID) -> Any:
    """What the inventory is not ready for, unless somebody has gone on with it regardless in one of these flows."""
    flows = (discovery_flow_id, *later)
    asked = select(Approval.task_id).where(Approval.flow_id.in_(flows), Approval.kind == "readiness")
    regardless = await session.scalar(asked.where(Approval.status == "approved").limit(1))
    return found.get("readiness", []) if regardless is None else []


def _no_results(flow_id: UUID) -> Conflict:
    return Conflict(
        "results_not_kept",
        f"The results of the flow {flow_id} are not kept here yet. Run it again, or try in a moment.",
    )
