"""The read model about data quality in detail."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.quality import QualityCompleted, QualityFailed
from services.chassis.frames import PIECE_ROWS
from services.chassis.work import Job
from services.gateway.handlers import service
from services.gateway.read_model.projections import numbered_rows, replace_rows
from services.gateway.read_model.quality_tables import QualityFailure, QualityFigure, QualityMeasurement


@service.work
async def show_quality(event: QualityCompleted, job: Job) -> None:
    """Make the figures and what is behind them listable."""
    async with job.blobs.local(event.tenant, event.figures) as path:
        figures = await job.run(numbered_rows, path, QualityFigure)
    async with job.blobs.local(event.tenant, event.failures) as path:
        failures = await job.run(numbered_rows, path, QualityFailure)
    await replace_rows(job, event, QualityFigure, figures.iter_slices(PIECE_ROWS))
    await replace_rows(job, event, QualityFailure, failures.iter_slices(PIECE_ROWS))
    session = await job.begin()
    readiness = [phase.model_dump(mode="json") for phase in event.readiness]
    asked = update(QualityMeasurement).where(QualityMeasurement.request_id == event.causation_id)
    await session.execute(asked.values(readiness=readiness))


@service.on
async def show_failed_measurement(event: QualityFailed, session: AsyncSession) -> None:
    """Say why a discovery could not be measured."""
    asked = update(QualityMeasurement).where(QualityMeasurement.request_id == event.causation_id)
    await session.execute(asked.values(problem=event.problem.model_dump(mode="json")))
