"""Answers that are used again for the very same question: in memory, in Redis where there is one, and in a table."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Tenant
from services.agent_runner.models.exchange import Answer
from services.agent_runner.models.together import Together
from services.agent_runner.tables import ModelAnswer, ModelAnswersEpoch
from services.chassis.runtime import Runtime

MEMORY_ANSWERS = 5_000
LARGEST_ANSWER = 100_000
# How old a tenant's epoch may be that this process knows: so long may others use what an event made old.
EPOCH_SECONDS = 5.0
TENANTS_REMEMBERED = 10_000


class AnswerCache:
    """Three levels, nearest first. A question's digest has its tenant's epoch in it, so a new epoch forgets all."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        self._shared = runtime.cache if runtime.settings.redis_url is not None else None
        self._memory: OrderedDict[tuple[Tenant, str], tuple[float, Answer]] = OrderedDict()
        self._table = Together(self._stored)
        self._epochs: dict[Tenant, tuple[float, int]] = {}

    async def epoch(self, tenant: Tenant) -> int:
        """Which answers of the tenant count now."""
        until, known = self._epochs.get(tenant, (0.0, 0))
        now = time.monotonic()
        if now < until:
            return known
        async with self._database.transaction(tenant) as session:
            found = (await session.execute(select(ModelAnswersEpoch.epoch))).scalar_one_or_none() or 0
        if len(self._epochs) >= TENANTS_REMEMBERED:
            self._epochs.clear()
        self._epochs[tenant] = now + EPOCH_SECONDS, found
        return found

    def forget_epoch(self, tenant: Tenant) -> None:
        """Look again which epoch it is: this process heard of a new one."""
        self._epochs.pop(tenant, None)

    async def get(self, tenant: Tenant, digest: str) -> Answer | None:
        """The answer that was kept, from the nearest level that has it; nearer ones keep it, too."""
        until, kept = self._memory.get((tenant, digest), (0.0, None))
        if kept is not None and time.monotonic() < until:
            self._memory.move_to_end((tenant, digest))
            return kept
        if self._shared is not None and (found := await self._shared.get(tenant, _name(digest))) is not None:
            answer = Answer.from_json(found["answer"])
            self._remember(tenant, digest, answer, found["until"] - time.time())
            return answer
        stored = await self._table.ask(tenant, digest)
        seconds = 0.0 if stored is None else (stored[1] - datetime.now(UTC)).total_seconds()
        if stored is None or seconds <= 0:
            return None
        await self._spread(tenant, digest, stored[0], seconds)
        return stored[0]

    async def _stored(self, tenant: Tenant, digests: Sequence[str]) -> list[tuple[Answer, datetime] | None]:
        columns = ModelAnswer.digest, ModelAnswer.answer, ModelAnswer.expires_at
        async with self._database.transaction(tenant) as session:
            rows = await session.execute(select(*columns).where(ModelAnswer.digest.in_(set(digests))))
            found = {row.digest: (Answer.from_json(row.answer), row.expires_at) for row in rows}
        return [found.get(digest) for digest in digests]

    async def keep(
        self, tenant: Tenant, digest: str, model: str, answer: Answer, seconds: float
    ) -> dict[str, Any] | None:
        """Keep an answer in memory and Redis; gives the row that the table is to have."""
        if len(answer.text) > LARGEST_ANSWER:
            return None
        await self._spread(tenant, digest, answer, seconds)
        expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
        return {"digest": digest, "model": model, "answer": answer.to_json(), "expires_at": expires_at}

    async def _spread(self, tenant: Tenant, digest: str, answer: Answer, seconds: float) -> None:
        self._remember(tenant, digest, answer, seconds)
        if self._shared is not None:
            value = {"answer": answer.to_json(), "until": time.time() + seconds}
            await self._shared.set(tenant, _name(digest), value, seconds)

    def _remember(self, tenant: Tenant, digest: str, answer: Answer, seconds: float) -> None:
        self._memory[tenant, digest] = time.monotonic() + seconds, answer
        self._memory.move_to_end((tenant, digest))
        while len(self._memory) > MEMORY_ANSWERS:
            self._memory.popitem(last=False)


async def begin_epoch(session: AsyncSession) -> int:
    """Use no answer again that was given to this transaction's tenant until now; who else begins one waits."""
    statement = insert(ModelAnswersEpoch).values(epoch=1)
    newer = {"epoch": ModelAnswersEpoch.epoch + 1}
    upsert = statement.on_conflict_do_update(index_elements=["client_account_id", "engagement_id"], set_=newer)
    return (await session.execute(upsert.returning(ModelAnswersEpoch.epoch))).scalar_one()


async def forget_expired(runtime: Runtime) -> None:
    """Take the answers away that are too old to be used."""
    async with runtime.database.dispatch() as connection:
        await connection.execute(delete(ModelAnswer).where(ModelAnswer.expires_at < datetime.now(UTC)))


def _name(digest: str) -> str:
    return f"model_answer:{digest}"
