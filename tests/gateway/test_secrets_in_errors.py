"""Secrets that are sent along every way to an error turn up in no problem or dead letter."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from contracts.envelope import PLATFORM
from services.chassis.dead_letters import bug
from services.chassis.logs import REDACTED, configure_logs, redacted_text
from services.chassis.settings import Settings
from tests.gateway.platform import Platform, a_platform
from tests.otlp_receiver import OtlpReceiver

MARK = "Zq7Xw9Lk2Vb4"
# What each looks like, with a mark in it that stands nowhere else.
SECRETS = {
    "key": f"modernize_key_{MARK}aaaa_{MARK}" + "b" * 37,
    "token": f"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIx{MARK}In0.{MARK}sig",  # pragma: allowlist secret
    "url": f"https://admin:{MARK}@127.0.0.1/x",
    "query": f"https://127.0.0.1/x?api_key={MARK}&a=1",
    "webhook": f"whsec_{MARK}AAAAAAAAAAAAAAAA",  # pragma: allowlist secret
    "bearer": f"Authorization: Bearer {MARK}abcdef",
    "json": json.dumps({"client_secret": f'a\\"{MARK}', "password": MARK}),
}


@pytest.fixture
def spans() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.mark.parametrize("name", SECRETS)
def test_what_looks_like_a_secret_is_cut_out_of_a_text(name: str) -> None:
    told = redacted_text(f"It failed with {SECRETS[name]} in the middle of it.")
    assert MARK not in told
    assert REDACTED in told
    assert told.startswith("It failed with ")
    assert told.endswith(" in the middle of it.")


@pytest.mark.parametrize(
    "harmless",
    ["5 tokens were used", "the password is wrong", "https://example.com/a?page=2", "modernize_gateway", "secret=none"],
)
def test_what_only_speaks_of_secrets_stays(harmless: str) -> None:
    assert redacted_text(harmless) == harmless


async def test_no_way_to_an_error_tells_a_secret(
    settings: Settings, spans: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_platform(settings.model_copy(update={"otlp_endpoint": spans.endpoint})) as platform:
        answers = await errors_of(platform, monkeypatch)
    assert {answer.status_code for answer in answers[:-1]} <= {400, 401, 403, 409, 422}
    assert answers[-1].status_code == 500
    assert MARK not in "".join(answer.text for answer in answers)
    assert len(spans.spans) > len(answers)
    assert [each.name for each in spans.spans if MARK in each.text] == []


@pytest.fixture
def logs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The logs of production, until the test ends."""
    root, told = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", told)
    configure_logs(settings.model_copy(update={"log_format": "json", "log_level": "info"}))
    yield told
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_no_line_of_the_log_tells_a_secret(
    settings: Settings, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A handler of the test runner may have been closed: what Python says of that is not the platform's log.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    async with a_platform(settings) as platform:
        await errors_of(platform, monkeypatch)
    lines = logs.getvalue().splitlines()
    assert any("request_failed" in line and REDACTED in line for line in lines)
    assert [line for line in lines if MARK in line] == []


async def errors_of(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> list[httpx2.Response]:
    """The answers to requests that each have a secret where it is of no use; to the last one a bug tells all."""
    client = platform.client
    answers: list[httpx2.Response] = []
    for secret in SECRETS.values():
        header = secret.replace("\n", " ")
        answers += [
            await client.get("/api/v1/flows", headers={"x-api-key": header}),
            await client.get("/api/v1/flows", headers={"x-api-key": "", "authorization": f"Bearer {header}"}),
            await client.get("/api/v1/flows", params={"cursor": secret}),
            await client.get("/api/v1/flows", params={"status": secret}),
            await client.post("/api/v1/flows", json={"import_ids": [secret], "then": secret}),
            await client.post("/api/v1/flows", content=secret, headers={"content-type": "application/json"}),
            await client.post("/api/v1/webhooks", json={"url": secret, "event_types": ["x"]}),
            await client.post("/api/v1/imports/url", json={"url": secret}),
            await client.put("/api/v1/configuration/log_level", json={"value": secret, "reason": "a test"}),
            await client.put("/api/v1/configuration/flows_per_day", json={"value": secret, "reason": "a test"}),
        ]

    def broken(*_: Any) -> None:
        raise RuntimeError(" and ".join(SECRETS.values()))

    with monkeypatch.context() as patch:
        patch.setattr(platform.runtime.database, "transaction", broken)
        answers.append(await client.get("/api/v1/flows"))
    return answers


def test_a_dead_letter_tells_why_without_the_secret() -> None:
    code, reason, trace = bug(RuntimeError(" and ".join(SECRETS.values())))
    assert code == "handler_failed"
    assert MARK not in reason + trace
    assert REDACTED in reason


async def test_a_statement_that_fails_does_not_tell_its_values(platform: Platform) -> None:
    with pytest.raises(Exception, match="does not exist") as failed:
        async with platform.runtime.database.transaction(PLATFORM) as session:
            await session.execute(text("select * from gateway.nothing where a = :secret"), {"secret": MARK})
    assert MARK not in str(failed.value)
