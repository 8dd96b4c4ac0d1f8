"""Real providers with real keys: `./justw test-live`. It costs fractions of a cent, and skips loudly who has no key.

Not part of the suite, which must neither cost money nor depend on others; there the stub stands for each provider.
Keys are in the providers' own variables, another address in NAME_BASE_URL, another model in NAME_MODEL.
"""

import os
import time
from collections.abc import Mapping
from uuid import uuid4

import pytest
from pydantic import BaseModel, Field

from contracts.configuration import KEYS
from services.agent_runner.models.catalogue import providers
from services.agent_runner.models.crew_model import Taken
from services.agent_runner.models.environment import configured_by, missing_variable
from services.agent_runner.models.exchange import Request
from services.agent_runner.models.session import Session
from services.agent_runner.models.tenant_model import RunContext
from services.chassis.testing import some_tenant
from tests.agent_runner.models.conftest import Platform

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


def missing(environment: Mapping[str, str], name: str) -> str | None:
    """The variable without which a provider cannot be asked."""
    provider = providers()[name]
    found = missing_variable(environment, provider)
    return found or (None if model_of(environment, name) else f"{name.upper()}_MODEL")


def model_of(environment: Mapping[str, str], name: str) -> str | None:
    """The model that is asked: the one that NAME_MODEL names, else the provider's default."""
    return environment.get(f"{name.upper()}_MODEL") or providers()[name].default_model


async def keeps_its_contract(platform: Platform, environment: Mapping[str, str], name: str) -> None:
    """Ask a provider for a typed answer and for a call of a tool."""
    tenant, provider = some_tenant(), providers()[name]
    found = configured_by(environment, f"{name}/{model_of(environment, name)}")
    assert isinstance(found, dict), found
    for key, value in found.items():
        await platform.set(tenant, KEYS[key], value)
    run = RunContext(tenant, None, uuid4(), "live", "1", 100_000, time.monotonic() + 60)
    session = await platform.models.session_for(run, "contract")
    assert isinstance(session, Session), session
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


@pytest.mark.parametrize("name", providers())
async def test_a_provider_keeps_its_contract(platform: Platform, name: str) -> None:
    if variable := missing(os.environ, name):
        pytest.skip(f"{variable} is not set: {name} was NOT asked")
    await keeps_its_contract(platform, os.environ, name)
