"""Vectors of texts: from the embedding model that a tenant configured, else offline ones."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from contracts.agents import ModelCall
from contracts.envelope import Problem
from services.agent_runner.memory.vectors import BUILT_IN, hashed, unit
from services.agent_runner.models.exchange import Answer, Request
from services.agent_runner.models.session import ModelUnavailable, Session
from services.chassis.word_vectors import installed_word_vectors

WORDLLAMA = "wordllama/256"
# As many as pgvector keeps.
MOST_NUMBERS = 16_000


@dataclass(frozen=True)
class Embedded:
    """Vectors of length 1, and whose they are; or none, and why. Only those of the same embedder compare."""

    embedder: str
    vectors: Sequence[Sequence[float]]
    calls: Sequence[ModelCall] = ()
    problem: Problem | None = None


def offline_embedder() -> str:
    """What makes vectors where no embedding model is configured."""
    return BUILT_IN if installed_word_vectors() is None else WORDLLAMA


async def embedded_offline(texts: Sequence[str]) -> Embedded:
    """Vectors that need no network."""
    words = await asyncio.to_thread(installed_word_vectors)
    if words is None:
        return Embedded(BUILT_IN, await asyncio.to_thread(hashed, texts))
    return Embedded(WORDLLAMA, (await asyncio.to_thread(words, list(texts))).tolist())


async def embedded_by(session: Session, texts: Sequence[str]) -> Embedded:
    """Vectors from the one model of a session, in one call."""
    request = Request([{"role": "user", "content": text} for text in texts], max_tokens=0, embedding=True)
    name, vectors = session.chain[0].name, list[list[float]]()

    def accept(answer: Answer) -> None:
        vectors[:] = _checked(orjson.loads(answer.text), len(texts))

    try:
        await session.complete(request, accept)
    except ModelUnavailable as error:
        return Embedded(name, [], session.calls, error.problem)
    return Embedded(name, vectors, session.calls)


def _checked(vectors: list[list[float]], count: int) -> list[list[float]]:
    """The vectors with length 1; raises `ValueError` where they are not what was asked for, or nothing to compare."""
    sizes = {len(vector) for vector in vectors}
    if len(vectors) != count or len(sizes) != 1 or not 0 < min(sizes) <= MOST_NUMBERS:
        raise ValueError(f"not {count} vectors of one size")
    found = [unit(vector) for vector in vectors]
    if not all(math.isclose(math.fsum(value * value for value in vector), 1, abs_tol=1e-6) for vector in found):
        raise ValueError("a vector of zeros, or of what is no number")
    return found
