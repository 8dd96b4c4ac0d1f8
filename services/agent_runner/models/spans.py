"""Spans of model calls, in the names of OpenTelemetry's conventions for generative AI (1.37)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from services.agent_runner.models.choice import Endpoint
from services.agent_runner.models.crew_spans import below_crew
from services.agent_runner.models.exchange import Answer, Request

# How the conventions call those providers that they have a name for.
PROVIDER_NAMES = {"gemini": "gcp.gemini"}
LONGEST_TEXT = 8_000


@contextmanager
def call_span(tracer: Tracer, endpoint: Endpoint, agent: str, request: Request, *, prompts: bool) -> Iterator[Span]:
    """Run inside the CLIENT span of one call."""
    operation = "embeddings" if request.embedding else "chat"
    attributes: dict[str, str | int | float] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER_NAMES.get(endpoint.provider.name, endpoint.provider.name),
        "gen_ai.request.model": endpoint.model,
        "gen_ai.agent.name": agent,
    }
    if not request.embedding:
        attributes["gen_ai.request.max_tokens"] = request.max_tokens
        attributes["gen_ai.request.temperature"] = request.temperature
        if prompts:
            attributes["gen_ai.input.messages"] = json.dumps([dict(each) for each in request.messages])[:LONGEST_TEXT]
    name = f"{operation} {endpoint.model}"
    with tracer.start_as_current_span(
        name,
        context=below_crew(),
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def tell_answer(span: Span, answer: Answer, *, cached: bool, prompts: bool) -> None:
    """Put what came into the span; where a provider counted no tokens, none are told."""
    span.set_attribute("gen_ai.usage.input_tokens", answer.tokens_in)
    span.set_attribute("gen_ai.usage.output_tokens", answer.tokens_out)
    span.set_attribute("gen_ai.response.finish_reasons", [answer.finish])
    span.set_attribute("modernize.cached", cached)
    if prompts:
        span.set_attribute("gen_ai.output.messages", answer.text[:LONGEST_TEXT])


def tell_failure(span: Span, outcome: str) -> None:
    """Mark the span as failed."""
    span.set_attribute("error.type", outcome)
    span.set_status(Status(StatusCode.ERROR, outcome))
