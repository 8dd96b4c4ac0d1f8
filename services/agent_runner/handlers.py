"""The agent runner's work: dependencies, 6R, waves and the report, all by rules that explain themselves."""

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import polars as pl
from sqlalchemy.dialects.postgresql import insert

from contracts.assessment import SixR, SixRCompleted, SixRFailed, SixRRequested
from contracts.discovery import (
    DependencyAnalysisCompleted,
    DependencyAnalysisFailed,
    DependencyAnalysisRequested,
)
from contracts.envelope import BlobRef, Event
from contracts.inventory_sealing import with_names, without_values
from contracts.planning import (
    PlanInputs,
    ReportCompleted,
    ReportFailed,
    ReportFormat,
    ReportRequested,
    Wave,
    WavePlanningCompleted,
    WavePlanningFailed,
    WavePlanningRequested,
)
from services.agent_runner.agents.advice import PLANNER, RISK_ASSESSOR, STRATEGIST, advise
from services.agent_runner.agents.suggestions import (
    moves_in_doubt,
    plan_in_doubt,
    portfolio_in_doubt,
    suggested,
    with_risk_suggestions,
    with_risks,
    with_suggestions,
)
from services.agent_runner.analysis.dependencies import analyse_dependencies
from services.agent_runner.analysis.six_r import assess
from services.agent_runner.analysis.waves import plan_waves
from services.agent_runner.reporting.html import render_html
from services.agent_runner.reporting.summary import summarise
from services.agent_runner.reporting.workbook import write_workbook
from services.agent_runner.tables import Analysis, Tables
from services.chassis.frames import load_frame, scan_frame, store_frame
from services.chassis.inventory_sealing import is_sealed
from services.chassis.service import Service
from services.chassis.work import Job

service = Service(Tables.metadata)

RULES = "rules"
MEDIA_TYPES: dict[ReportFormat, str] = {
    "html": "text/html; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


@service.work
async def find_dependencies(
    event: DependencyAnalysisRequested, job: Job
) -> DependencyAnalysisCompleted | DependencyAnalysisFailed:
    """Attach assets to applications and find what depends on what."""
    listed, connections = [await load_frame(job, event.tenant, ref) for ref in (event.applications, event.connections)]
    await job.progress(0, connections.height, f"resolving {connections.height:,} connections")
    async with scan_frame(job, event.tenant, event.assets) as assets:
        found = await job.run(analyse_dependencies, assets, listed, connections, event.tenant.engagement_id)
    applications = await store_frame(job, event.tenant, "applications", found.applications)
    dependencies = await store_frame(job, event.tenant, "dependencies", found.dependencies)
    await _remember(event, job, "dependency_analysis", {"applications": applications, "dependencies": dependencies})
    return DependencyAnalysisCompleted.reply_to(
        event,
        applications=applications,
        dependencies=dependencies,
        application_count=found.applications.height,
        dependency_count=found.dependencies.height,
        unmatched_ends=found.unmatched.unknown + found.unmatched.ambiguous,
    )


@service.work
async def decide_treatments(event: SixRRequested, job: Job) -> SixRCompleted | SixRFailed:
    """Give every application one of the 6 Rs, with its reason."""
    inputs = event.inputs
    assets, applications, dependencies = [
        await load_frame(job, event.tenant, ref) for ref in (inputs.assets, inputs.applications, inputs.dependencies)
    ]
    await job.progress(0, applications.height, f"assessing {applications.height:,} applications")
    today = datetime.now(UTC).date()
    decided = await job.run(assess, assets, applications, dependencies, today)
    advice = await advise(
        job, event, STRATEGIST, partial(portfolio_in_doubt, applications, assets, dependencies, decided)
    )
    decided = decided if advice is None else with_suggestions(decided, advice)
    risks = await advise(
        job, event, RISK_ASSESSOR, partial(moves_in_doubt, applications, assets, dependencies, decided)
    )
    decided = decided if risks is None else with_risk_suggestions(decided, risks)
    assessments = await store_frame(job, event.tenant, "assessments", decided)
    await _remember(event, job, "six_r", {"assessments": assessments})
    counted = decided.group_by("strategy").len().sort("strategy").iter_rows()
    return SixRCompleted.reply_to(
        event,
        assessments=assessments,
        application_count=decided.height,
        distribution={cast("SixR", strategy): count for strategy, count in counted},
        agent=advice,
        risk_agent=risks,
    )


@service.work
async def order_into_waves(event: WavePlanningRequested, job: Job) -> WavePlanningCompleted | WavePlanningFailed:
    """Order the applications that move into waves."""
    frames = await _load_inputs(job, event, event.inputs)
    planned = await job.run(
        plan_waves,
        frames["applications"],
        frames["dependencies"],
        frames["assessments"],
        frames["assets"],
        event.limits,
    )
    question = partial(plan_in_doubt, planned, frames["applications"], frames["dependencies"], event.limits)
    advice = await advise(job, event, PLANNER, question)
    waves = with_risks(planned.waves, frames["assessments"])
    waves = waves if advice is None else suggested(waves, advice)
    plan = await store_frame(job, event.tenant, "plans", planned.plan)
    await _remember(event, job, "wave_planning", {"plan": plan})
    if await is_sealed(await job.begin(), service.metadata, event.tenant):
        # An application may be called after its machine; who shows waves takes the names from the plan.
        waves = [Wave.model_validate(without_values(wave.model_dump(mode="json"))) for wave in waves]
    return WavePlanningCompleted.reply_to(event, plan=plan, waves=waves, unplanned=planned.unplanned, agent=advice)


@service.work
async def write_report(event: ReportRequested, job: Job) -> ReportCompleted | ReportFailed:
    """Write the approved plan as HTML, XLSX and JSON."""
    frames = await _load_inputs(job, event, event.inputs)
    frames["plan"] = await load_frame(job, event.tenant, event.plan)
    names = dict(frames["plan"].select("application_uid", "name").iter_rows())
    event = event.model_copy(update={"waves": with_names(event.waves, names)})
    files: dict[ReportFormat, BlobRef] = {}
    with tempfile.TemporaryDirectory(prefix="modernize-") as folder:
        paths = await job.run(write_files, event, frames, Path(folder), datetime.now(UTC))
        for name, path in paths.items():
            files[name] = await job.blobs.put_file(event.tenant, "reports", path, MEDIA_TYPES[name])
    await _remember(event, job, "report", {str(name): file for name, file in files.items()})
    return ReportCompleted.reply_to(event, files=files)


def write_files(
    event: ReportRequested, frames: dict[str, pl.DataFrame], folder: Path, now: datetime
) -> dict[ReportFormat, Path]:
    """Write the report's files into `folder` and return their paths by format."""
    report = summarise(**frames, waves=event.waves, unplanned=event.unplanned, report=event.report, generated_at=now)
    paths: dict[ReportFormat, Path] = {name: folder / f"migration-plan.{name}" for name in MEDIA_TYPES}
    paths["html"].write_text(render_html(report), encoding="utf-8")
    paths["json"].write_text(report.model_dump_json(indent=1), encoding="utf-8")
    write_workbook(report, **frames, path=paths["xlsx"])
    return paths


async def _load_inputs(job: Job, event: Event, inputs: PlanInputs) -> dict[str, pl.DataFrame]:
    return {
        name: await load_frame(job, event.tenant, getattr(inputs, name))
        for name in ("assets", "applications", "dependencies", "assessments")
    }


async def _remember(event: Event, job: Job, kind: str, outputs: Mapping[str, BlobRef]) -> None:
    """Write down which engine made this, with the result's transaction."""
    session = await job.begin()
    row = {
        "flow_id": event.flow_id,
        "kind": kind,
        "engine": RULES,
        "outputs": {name: ref.model_dump(mode="json") for name, ref in outputs.items()},
    }
    key = ["client_account_id", "engagement_id", "flow_id", "kind"]
    await session.execute(insert(Analysis).values(row).on_conflict_do_update(index_elements=key, set_=row))
