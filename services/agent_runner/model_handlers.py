"""What keeps the models of tenants in order: old answers, lost calls, and the models themselves."""

from datetime import UTC, datetime

from services.agent_runner.handlers import service
from services.agent_runner.models.answer_cache import forget_expired
from services.agent_runner.models.tenant_model import Models, models_of
from services.agent_runner.pool import AgentPool, pool_of
from services.chassis.runtime import Runtime

TIDY_SECONDS = 3600.0
LOST_SECONDS = 300.0
IDLE_LOOK_SECONDS = 30.0

service.share(models_of)
service.share(pool_of)


@service.every(TIDY_SECONDS)
async def tidy_answers(runtime: Runtime) -> None:
    """Take answers away that are too old."""
    await forget_expired(runtime)


@service.every(LOST_SECONDS)
async def close_lost_calls(runtime: Runtime) -> None:
    """Count the calls of processes that are gone."""
    await runtime.shared[Models].ledger.close_lost(datetime.now(UTC))


@service.every(IDLE_LOOK_SECONDS)
async def drop_idle_sessions(runtime: Runtime) -> None:
    """Close what tenants have open for agents and nobody used for a while."""
    await runtime.shared[AgentPool].drop_idle()
