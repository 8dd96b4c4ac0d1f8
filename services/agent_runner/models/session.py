"""All calls of one run: from the cache, under its budgets, along its chain of models, into the ledger."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from contracts.agents import ModelCall
from contracts.envelope import Problem, Tenant, uuid7
from services.agent_runner.models import calling
from services.agent_runner.models.answer_cache import AnswerCache
from services.agent_runner.models.breaker import Breaker
from services.agent_runner.models.calling import CallFailed
from services.agent_runner.models.choice import Endpoint
from services.agent_runner.models.exchange import Answer, Request
from services.agent_runner.models.hedging import first_answer
from services.agent_runner.models.ledger import NOTHING_USED, TOKENS, Entry, Ledger, rounded_up, scopes
from services.agent_runner.models.redaction import redact, redact_all
from services.agent_runner.models.spans import call_span, tell_answer, tell_failure
from services.agent_runner.models.turns import Turns, TurnTooLate
from services.chassis.errors import ExpectedFailure
from services.chassis.outbound import Outbound
from services.chassis.telemetry import Telemetry

CALL_SECONDS = 45.0
ATTEMPTS = 3
# A run that needs more goes in circles.
CALLS_A_RUN = 60
LEAST_TOKENS_OUT = 16


class ModelUnavailable(ExpectedFailure):
    """No model can answer, and why: the reason for falling back to rules."""

    status = 503


@dataclass(frozen=True)
class RunContext:
    """Who is asking, for the ledger, budgets, cache and spans; `deadline` in seconds of `time.monotonic`."""

    tenant: Tenant
    flow_id: UUID | None
    task_id: UUID
    agent: str
    prompt_version: str
    token_budget: int | None
    deadline: float | None


@dataclass(frozen=True)
class Rules:
    """What the tenant configured of how models are called."""

    per_day: Decimal | None
    tokens_per_day: Decimal | None
    per_flow: Decimal | None
    per_minute: int
    at_once: int
    hedge_after: float | None
    cache_seconds: int
    redaction: bool
    prompts_in_spans: bool


@dataclass(frozen=True)
class Shared:
    """What all runs of a process share."""

    outbound: Outbound
    telemetry: Telemetry
    ledger: Ledger
    cache: AnswerCache
    turns: Turns
    breakers: dict[str, Breaker]

    def breaker(self, endpoint: Endpoint) -> Breaker:
        """The breaker of a provider at one address: what one tenant's own server does is nobody else's business."""
        return self.breakers.setdefault(f"{endpoint.provider.name} {endpoint.base_url}", Breaker())


class Session:
    """The calls of one run. After a failure that no other model can mend, all further ones fail at once."""

    def __init__(self, shared: Shared, context: RunContext, purpose: str, chain: Sequence[Endpoint], rules: Rules):
        self.context = context
        self.chain = chain
        self.calls: list[ModelCall] = []
        self.problem: Problem | None = None
        self._tokens_in_flight = 0
        self._shared = shared
        self._purpose = purpose
        self._rules = rules

    @property
    def tokens(self) -> int:
        """Tokens of all its calls that a provider counted."""
        return sum(call.tokens_in + call.tokens_out for call in self.calls if not call.cached)

    def told(self, text: str) -> str | None:
        """What spans may tell of what a model was told, beside its calls; None where that is nothing."""
        if not self._rules.prompts_in_spans:
            return None
        return redact(text) if self._rules.redaction else text

    async def complete(self, request: Request, accept: Callable[[Answer], object]) -> Answer:
        """The first answer along the chain that `accept` takes (else it raises `ValueError`).

        Raises `ModelUnavailable`, whose problem is then `problem`.
        """
        if self.problem is not None:
            raise ModelUnavailable.of(self.problem)
        if self._rules.redaction:
            request = replace(request, messages=redact_all(list(request.messages)))
        asks = [partial(self._ask, endpoint, request, accept) for endpoint in self.chain]
        try:
            return await first_answer(asks, self._rules.hedge_after)
        except ModelUnavailable as error:
            self.problem = error.problem
            raise

    async def _ask(self, endpoint: Endpoint, request: Request, accept: Callable[[Answer], object]) -> Answer:
        """One model's answer: the cached one, or a new one after at most so many attempts."""
        digest = await self._digest(endpoint, request)
        if digest is not None and (kept := await self._kept(endpoint, digest, accept)) is not None:
            return kept
        deadline = time.monotonic() + CALL_SECONDS
        if self.context.deadline is not None:
            deadline = min(deadline, self.context.deadline)
        problem, length = CallFailed("error", ""), len(request.messages)
        for attempt in range(ATTEMPTS):
            asked = self._within_tokens(request)
            most_tokens = asked.most_tokens_in() + asked.max_tokens
            self._tokens_in_flight += most_tokens
            try:
                async with self._shared.turns.turn(
                    self.context.tenant,
                    endpoint.provider,
                    per_minute=self._rules.per_minute,
                    at_once=self._rules.at_once,
                    deadline=deadline,
                ):
                    return await self._attempt(endpoint, asked, accept, digest, deadline)
            except TurnTooLate:
                raise _unavailable("model_turn_too_late", f"{endpoint.name} had too many calls to make.") from None
            except CallFailed as failed:
                problem = failed
            finally:
                self._tokens_in_flight -= most_tokens
            if not problem.again or attempt == ATTEMPTS - 1:
                break
            if problem.outcome == "invalid":
                if len(request.messages) > length:
                    break  # It was told already.
                told = {"role": "user", "content": f"That did not fit: {problem.detail[:500]}. Answer again."}
                request = replace(request, messages=[*request.messages, told])
                continue
            seconds = calling.pause(attempt, problem.pause)
            if time.monotonic() + seconds >= deadline:
                break
            await calling.wait(seconds)
        code = {"timed_out": "model_timed_out", "invalid": "model_answer_invalid"}.get(problem.outcome, "model_failed")
        raise _unavailable(code, problem.detail)

    async def _digest(self, endpoint: Endpoint, request: Request) -> str | None:
        if not self._rules.cache_seconds:
            return None
        epoch = await self._shared.cache.epoch(self.context.tenant)
        return request.digest(str(epoch), endpoint.name, endpoint.base_url, self.context.prompt_version)

    async def _kept(self, endpoint: Endpoint, digest: str, accept: Callable[[Answer], object]) -> Answer | None:
        started = time.perf_counter()
        kept = await self._shared.cache.get(self.context.tenant, digest)
        if kept is not None:
            with contextlib.suppress(ValueError):  # It was kept for a type that has changed since: ask anew.
                accept(kept)
                self._record(self._call(endpoint, kept, "ok", started, cached=True))
                return kept
        return None

    async def _attempt(
        self,
        endpoint: Endpoint,
        request: Request,
        accept: Callable[[Answer], object],
        digest: str | None,
        deadline: float,
    ) -> Answer:
        breaker, started = self._shared.breaker(endpoint), time.perf_counter()
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise CallFailed("timed_out", f"There was no time left to ask {endpoint.name}.")
        if not breaker.admits(time.monotonic()):
            raise _unavailable(
                "model_left_alone", f"{endpoint.provider.name} failed again and again and is left alone for a while."
            )
        most = rounded_up(endpoint.price.cost(request.most_tokens_in(), request.max_tokens))
        call_id, at = uuid7(), datetime.now(UTC)
        reserved = Decimal(0)
        most_tokens = Answer("", tokens_in=request.most_tokens_in(), tokens_out=request.max_tokens)
        bound = self._call(endpoint, most_tokens, "open", started, call_id=call_id, at=at, cost=most)
        try:
            reserved = await self._reserve(bound)
        except BaseException:
            breaker.untried()
            raise
        prompts = self._rules.prompts_in_spans
        tracer = self._shared.telemetry.tracer
        failed: CallFailed | None = CallFailed("cancelled", "The run was cancelled.", charged=True)
        answer = Answer("")
        try:
            with call_span(tracer, endpoint, self.context.agent, request, prompts=prompts) as span:
                try:
                    answer = await calling.call(self._shared.outbound, endpoint, request, seconds)
                    tell_answer(span, answer, cached=False, prompts=prompts)
                    accept(answer)
                    failed = None
                except CallFailed as error:
                    failed = error
                    raise
                except ValueError as error:
                    failed = CallFailed("invalid", f"{endpoint.name} gave no answer that fits: {error}.", again=True)
                    raise failed from error
                finally:
                    if failed is not None:
                        tell_failure(span, failed.outcome)
        finally:
            if failed is None or failed.outcome == "invalid":
                breaker.succeeded()
            elif failed.provider:
                breaker.failed(time.monotonic())
            else:
                breaker.untried()
            outcome = "ok" if failed is None else failed.outcome
            cost = most if failed is not None and failed.charged else None
            done = self._call(endpoint, answer, outcome, started, call_id=call_id, at=at, cost=cost)
            row = None
            if failed is None and digest is not None and answer.finish != "length":
                row = await self._shared.cache.keep(
                    self.context.tenant, digest, endpoint.name, answer, self._rules.cache_seconds
                )
            self._record(done, reserved, row)
        return answer

    def _within_tokens(self, request: Request) -> Request:
        """The request with no more tokens to answer than its budgets leave."""
        if len([call for call in self.calls if not call.cached]) >= CALLS_A_RUN:
            raise _unavailable("model_never_stops", f"The run has called models {CALLS_A_RUN} times without an end.")
        if self.context.token_budget is None:
            return request
        left = self.context.token_budget - self.tokens - self._tokens_in_flight - request.most_tokens_in()
        if left < LEAST_TOKENS_OUT:
            raise _unavailable(
                "model_tokens_spent",
                f"The run may use {self.context.token_budget} tokens, and the next call could exceed that.",
            )
        return replace(request, max_tokens=min(request.max_tokens, left))

    async def _reserve(self, bound: ModelCall) -> Decimal:
        """What was set aside for a call; nothing where there are no budgets."""
        limits = dict(zip(scopes(bound.at, bound.flow_id), (self._rules.per_day, self._rules.per_flow), strict=False))
        limits[TOKENS] = self._rules.tokens_per_day
        budgets = {scope: limit for scope, limit in limits.items() if limit is not None}
        if not budgets:
            return Decimal(0)
        problem = await self._shared.ledger.reserve(self.context.tenant, bound, budgets)
        if problem is not None:
            over = bound.model_copy(update={"outcome": "over_budget", **NOTHING_USED})
            self.calls.append(over)
            self._shared.ledger.record(Entry(self.context.tenant, over))
            raise ModelUnavailable.of(problem)
        return bound.cost_usd

    def _call(
        self,
        endpoint: Endpoint,
        answer: Answer,
        outcome: str,
        started: float,
        *,
        cached: bool = False,
        call_id: UUID | None = None,
        at: datetime | None = None,
        cost: Decimal | None = None,
    ) -> ModelCall:
        counted = endpoint.price.cost(answer.tokens_in, answer.tokens_out, answer.cached_in)
        return ModelCall(
            call_id=call_id or uuid7(),
            at=at or datetime.now(UTC),
            provider=endpoint.provider.name,
            model=endpoint.model,
            agent=self.context.agent,
            task_id=self.context.task_id,
            flow_id=self.context.flow_id,
            purpose=self._purpose,
            prompt_version=self.context.prompt_version,
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            cost_usd=Decimal(0) if cached else rounded_up(counted) if cost is None else cost,
            cached=cached,
            seconds=time.perf_counter() - started,
            outcome=outcome,
        )

    def _record(self, call: ModelCall, reserved: Decimal = Decimal(0), row: Mapping[str, object] | None = None) -> None:
        self.calls.append(call)
        self._shared.ledger.record(Entry(self.context.tenant, call, reserved, row))


def _unavailable(code: str, detail: str) -> ModelUnavailable:
    return ModelUnavailable(code, f"{detail} Rules decide instead." if "ules decide" not in detail else detail)
