"""One attempt to call a model over HTTP: an answer, or how it failed."""

import asyncio
import random
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from services.agent_runner.models import anthropic_wire, openai_wire
from services.agent_runner.models.choice import Endpoint
from services.agent_runner.models.exchange import Answer, Request, UnusableAnswer
from services.chassis.outbound import Answer as HttpAnswer
from services.chassis.outbound import Limits, Outbound, OutboundFailed, OutboundRefused

LARGEST_ANSWER_BYTES = 4 * 1024**2
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0


@dataclass
class CallFailed(Exception):
    """No answer came that can be used.

    `outcome` is what the ledger says. `again`: another attempt may help. `provider`: it speaks against the provider,
    not the request or the key. `charged`: the provider may charge for it. `pause`: seconds to leave it alone for.
    """

    outcome: str
    detail: str
    again: bool = False
    provider: bool = False
    charged: bool = False
    pause: float | None = None


async def call(outbound: Outbound, endpoint: Endpoint, request: Request, seconds: float) -> Answer:
    """What the model answers within so many seconds; raises `CallFailed`."""
    if request.embedding:
        return await _embeddings(outbound, endpoint, request, seconds)
    if endpoint.provider.wire == "anthropic":
        path, headers = anthropic_wire.PATH, anthropic_wire.headers(endpoint.key)
        body = anthropic_wire.body(endpoint.model, request)
    else:
        path, headers = openai_wire.PATH, openai_wire.headers(endpoint.key)
        body = openai_wire.body(endpoint.provider, endpoint.model, request)
    content = await post(outbound, endpoint, path, headers, orjson.dumps(body), seconds)
    try:
        return anthropic_wire.answer(content) if endpoint.provider.wire == "anthropic" else openai_wire.answer(content)
    except UnusableAnswer as error:
        raise CallFailed("error", f"{endpoint.provider.name} answered {error}", True, True, True) from error


async def _embeddings(outbound: Outbound, endpoint: Endpoint, request: Request, seconds: float) -> Answer:
    texts = [str(message["content"]) for message in request.messages]
    body = openai_wire.embedding_body(endpoint.model, texts)
    path, headers = openai_wire.EMBEDDINGS, openai_wire.headers(endpoint.key)
    content = await post(outbound, endpoint, path, headers, orjson.dumps(body), seconds)
    try:
        vectors, tokens = openai_wire.vectors(content, len(texts))
    except UnusableAnswer as error:
        raise CallFailed("error", f"{endpoint.provider.name} answered {error}", True, True, True) from error
    return Answer(orjson.dumps(vectors).decode(), tokens_in=tokens)


async def post(
    outbound: Outbound, endpoint: Endpoint, path: str, headers: dict[str, str], body: bytes, seconds: float
) -> bytes:
    """The body of a successful answer; raises `CallFailed`."""
    limits = Limits(total_seconds=seconds, idle_seconds=seconds, max_bytes=LARGEST_ANSWER_BYTES)
    sent = {"content-type": "application/json", "accept": "application/json", **headers}
    try:
        answer = await outbound.send("POST", f"{endpoint.base_url}{path}", headers=sent, content=body, limits=limits)
    except OutboundRefused as error:
        raise CallFailed("error", error.problem.detail) from error
    except OutboundFailed as error:
        late = error.problem.code == "answer_too_slow"
        large = error.problem.code == "answer_too_large"
        outcome = "timed_out" if late else "invalid" if large else "error"
        raise CallFailed(outcome, error.problem.detail, not (late or large), not large, True) from error
    if answer.status != 200:
        raise _refused(endpoint, answer)
    return answer.body


def pause(attempt: int, wanted: float | None) -> float:
    """Seconds before the next attempt: what the provider asks for, else twice as long each time, drawn at random."""
    if wanted is not None:
        return min(wanted, LONGEST_PAUSE_SECONDS)
    return random.uniform(0.5, 1.0) * min(FIRST_PAUSE_SECONDS * 2.0**attempt, LONGEST_PAUSE_SECONDS)


async def wait(seconds: float) -> None:
    """Wait before another attempt."""
    await asyncio.sleep(seconds)


def _refused(endpoint: Endpoint, answer: HttpAnswer) -> CallFailed:
    """What a status other than 200 means; what the provider wrote may quote the key or the prompt, so it stays here."""
    who, status = endpoint.provider.name, answer.status
    host = urlsplit(endpoint.base_url).hostname
    if status in {401, 403}:
        return CallFailed("error", f"{who} refuses the API key ({status}). Set another in model_provider_keys.")
    if status == 404:
        return CallFailed("error", f"{who} knows no model {endpoint.model!r} at {host} (404).")
    if status in {408, 409, 425, 429} or status >= 500:
        wanted = answer.headers.get("retry-after", "")
        seconds = float(wanted) if wanted.replace(".", "", 1).isdigit() else None
        crowded = status == 429
        detail = f"{who} is too busy or broken ({status})."
        return CallFailed("error", detail, again=True, provider=not crowded, pause=seconds)
    return CallFailed("error", f"{who} did not accept the request for {endpoint.model!r} ({status}).")
