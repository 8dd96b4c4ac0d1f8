"""Real providers with real keys: `./justw test-live`. It costs fractions of a cent, and skips loudly who has no key.

Not part of the suite, which must neither cost money nor depend on others.
"""

import os
import time
from uuid import uuid4

import pytest
from pydantic import BaseModel, Field

from contracts import model_configuration as keys
from services.agent_runner.models.catalogue import providers
from services.agent_runner.models.crew_model import Taken
from services.agent_runner.models.exchange import Request
from services.agent_runner.models.tenant_model import RunContext
from services.chassis.testing import some_tenant
from tests.agent_runner.models.conftest import Platform

# Where the key of each provider is looked for; of those without one, the address.
VARIABLES = {
    "deepinfra": "DEEPINFRA_API_KEY",
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "huggingface": "HF_TOKEN",
    "qwen": "DASHSCOPE_API_KEY",
    "ollama": "OLLAMA_BASE_URL",
    "compatible": "COMPATIBLE_BASE_URL",
}
MODELS = {"compatible": os.environ.get("COMPATIBLE_MODEL", "")}
TOOL = {
    "type": "function",
    "function": {
        "name": "end_of_support",
        "description": "The year in which support of an operating system ends.",
        "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    },
}


class Verdict(BaseModel):
    """What a model is to say."""

    strategy: str = Field(description="One of rehost, replatform, retire, retain")
    confidence: float = Field(ge=0, le=1)


def test_every_provider_is_looked_for() -> None:
    assert set(VARIABLES) == set(providers())


@pytest.mark.parametrize("name", VARIABLES)
async def test_a_provider_keeps_its_contract(platform: Platform, name: str) -> None:
    given, provider = os.environ.get(VARIABLES[name], ""), providers()[name]
    model = MODELS.get(name) or provider.default_model
    if not given or not model:
        pytest.skip(f"{VARIABLES[name]} is not set: {name} was NOT asked")
    tenant = some_tenant()
    if provider.key:
        await platform.set(tenant, keys.MODEL_PROVIDER_KEYS, {name: given})
    else:
        await platform.set(tenant, keys.MODEL_BASE_URLS, {name: given})
    await platform.set(tenant, keys.MODELS, {"default": f"{name}/{model}"})
    run = RunContext(tenant, None, uuid4(), "live", "1", 100_000, time.monotonic() + 60)
    session = await platform.models.session_for(run, "contract")
    assert not hasattr(session, "code"), session
    question = [{"role": "user", "content": "Which strategy suits a web server on Debian 9? Be brief."}]
    typed = Request(question, schema=Verdict.model_json_schema(), max_tokens=500)
    taken = Taken(typed, Verdict)
    await session.complete(typed, taken.take)
    assert isinstance(taken.value, Verdict)
    must_look = [{"role": "user", "content": "Call end_of_support for Debian 9. Say nothing else."}]
    tooled = Request(must_look, tools=[TOOL], max_tokens=500)
    taken = Taken(tooled, None)
    await session.complete(tooled, taken.take)
    assert taken.answer.tool_calls, f"{name} called no tool and said {taken.answer.text!r}"
    assert all(call.tokens_in > 0 and call.tokens_out > 0 for call in session.calls if call.outcome == "ok")
    assert provider.any_model or session.calls[-1].cost_usd > 0
