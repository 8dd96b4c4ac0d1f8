"""What agents recall: the few memories nearest to what the rules doubt, of this tenant and for this agent."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select, text

from contracts.agents import AgentResult, ModelCall
from contracts.envelope import Problem, Tenant
from services.agent_runner.memory.vectors import BUILT_IN
from services.agent_runner.models.session import RunContext
from services.agent_runner.tables import MemoryRow
from services.chassis.database import Database
from services.chassis.remembered import Remembered

if TYPE_CHECKING:
    from services.agent_runner.models.embedding import Embedded

MOST_RECALLED = 5
# Recalling may take so long, and no more than this share of a run's time.
MOST_SECONDS, SHARE_OF_TIME = 10.0, 0.25
MOST_CHARACTERS = 200
# What is less near (cosine) has nothing to do with it: hashed words meet by chance, models find all texts a bit alike.
LEAST_NEAR = {BUILT_IN: 0.1}
LEAST_NEAR_OF_MODELS = 0.3

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[\W\d_]*")

# One distance for each memory: to the doubt that it is nearest to. Vectors are read once, not once a memory.
_NEAREST = text("""
    with doubts as materialized (
        select cast(vector as agent_runner.vector) as vector from unnest(cast(:vectors as text[])) as given (vector)
    )
    select memory_id, kind, text, at, min(agent_runner.cosine_distance(embedding, vector)) as distance
    from agent_runner.memories cross join doubts
    where forgotten_at is null and embedder = :embedder and :agent = any(agents)
        and agent_runner.vector_dims(embedding) = :size
    group by memory_id, kind, text, at
    having min(agent_runner.cosine_distance(embedding, vector)) <= :most
    order by distance, at desc, memory_id
    limit :limit
""")


@dataclass(frozen=True)
class Recollection:
    """A memory that was found near."""

    memory_id: UUID
    kind: str
    text: str
    at: datetime
    distance: float

    def shown(self) -> dict[str, str]:
        """What a model sees of it: not who said it."""
        return {"kind": self.kind, "said": self.text, "on": self.at.date().isoformat()}


@dataclass(frozen=True)
class Recalled:
    """What was recalled for a run and what was called for it; `problem` is why nothing was, though there is memory."""

    memories: Sequence[Recollection] = ()
    calls: Sequence[ModelCall] = ()
    problem: Problem | None = None

    def beside(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        """What a model is shown, with the memories as more evidence."""
        said = [each.shown() for each in self.memories]
        return {**shown, "remembered_of_earlier_decisions": said} if said else dict(shown)

    def told_in(self, result: AgentResult) -> AgentResult:
        """The result of a run, with what its model was shown, or why it had to do without."""
        if self.problem is not None:
            said = f"What people taught before could not be recalled: {self.problem.detail}"
            return result.model_copy(update={"rationale": f"{result.rationale} {said}".strip()})
        ids = [each.memory_id for each in self.memories]
        return result.model_copy(update={"memories": ids}) if ids else result


class AgentMemory:
    """Recalls for every tenant. A tenant whose agents remember nothing costs a look every few seconds."""

    def __init__(self, database: Database, embed: "Callable[[RunContext, Sequence[str]], Awaitable[Embedded]]") -> None:
        self._database = database
        self._embed = embed
        self._known = Remembered()

    def look_again(self) -> None:
        """Somebody remembers more than this process knows of."""
        self._known.forget()

    async def recall(self, context: RunContext, doubts: Sequence[Mapping[str, Any]]) -> Recalled:
        """The memories nearest to these doubts, as a model is shown them; never raises for what an embedder does."""

        async def find() -> frozenset[str]:
            return await self._who_remembers(context.tenant)

        if context.agent not in (await self._known.get(context.tenant, find) or ()):
            return Recalled()
        now = time.monotonic()
        patience = MOST_SECONDS
        if context.deadline is not None:
            patience = min(patience, (context.deadline - now) * SHARE_OF_TIME)
        texts = [told for doubt in doubts if (told := asked_about(doubt))]
        if not texts:
            return Recalled()
        found = await self._embed(replace(context, deadline=now + patience), texts)
        if found.problem is not None:
            return Recalled((), found.calls, found.problem)
        return Recalled(await self._nearest(context, found), found.calls)

    async def _who_remembers(self, tenant: Tenant) -> frozenset[str]:
        agents = func.unnest(MemoryRow.agents)
        async with self._database.transaction(tenant) as session:
            return frozenset(await session.scalars(select(agents).where(MemoryRow.forgotten_at.is_(None)).distinct()))

    async def _nearest(self, context: RunContext, found: "Embedded") -> list[Recollection]:
        asked = {
            "vectors": [str(list(vector)) for vector in found.vectors],
            "size": len(found.vectors[0]),
            "embedder": found.embedder,
            "agent": context.agent,
            "most": 1 - LEAST_NEAR.get(found.embedder, LEAST_NEAR_OF_MODELS),
            "limit": MOST_RECALLED,
        }
        async with self._database.transaction(context.tenant) as session:
            rows = (await session.execute(_NEAREST, asked)).mappings()
            return [Recollection(**row) for row in rows]


def asked_about(doubt: Mapping[str, Any]) -> str:
    """What a doubt is about, in so many words as nearness takes: the short texts of its evidence."""
    return " ".join(dict.fromkeys(_texts(doubt["evidence"])))[:MOST_CHARACTERS].strip()


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list | tuple):
        return [text for each in value[:3] for text in _texts(each)]
    # Long texts are reasons, which say the same of everything; ids and numbers say nothing.
    said = isinstance(value, str) and len(value) <= MOST_CHARACTERS // 2 and _ID.fullmatch(value) is None
    return [value] if said else []
