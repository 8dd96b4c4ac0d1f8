"""One run of an agent: the rules first, a model on what they were unsure about, both compared; bounded in time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import structlog

from contracts.agents import AgentResult, ModelCall
from contracts.envelope import Problem, Tenant
from services.agent_runner.agents.comparing import Compared, asked, compare, doubtful, mean_confidence, told
from services.agent_runner.agents.crews import ask_crew
from services.agent_runner.agents.definition import Agent, Answers, Judgement, Question
from services.agent_runner.memory.recalling import Recalled
from services.agent_runner.models.tenant_model import Models, NoModel, RunContext, TenantModel
from services.agent_runner.tools.calls import ToolCalls
from services.agent_runner.tools.definition import Run
from services.agent_runner.tools.given import tools_for
from services.chassis.errors import ExpectedFailure
from services.chassis.work import Job

log = structlog.get_logger()
P = ParamSpec("P")
R = TypeVar("R")

# Tells how far an agent is: done, of how many, and what it does now.
Progress = Callable[[int, int, str], Awaitable[None]]

RULES, MODEL = "rules", "model"
TIMEOUT_SECONDS = 45.0
_STEPS = 3


@dataclass(frozen=True)
class Opinion:
    """What a model said, or why it said nothing of use; and what was called for it."""

    said: Answers | None
    problem: Problem | None
    calls: Sequence[ModelCall]


class CpuTime:
    """CPU seconds that the steps of one run took in their threads, and how many it may take.

    A thread cannot be stopped, and what libraries compute in threads of their own is not seen: so a budget keeps the
    next step from being begun, and what bounds a step is the size of what it is given.
    """

    def __init__(self, budget: float | None) -> None:
        self.spent = 0.0
        self._budget = budget

    async def run(self, job: Job, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute a step in a thread."""

        def measured() -> R:
            before = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent += time.thread_time() - before

        return await job.run(measured)

    @property
    def overspent(self) -> Problem | None:
        """Why no further step is begun, if that is so."""
        if self._budget is None or self.spent <= self._budget:
            return None
        detail = f"The rules took {self.spent:.2f} of {self._budget:g} CPU seconds, so no model was asked."
        return Problem(code="cpu_budget_spent", detail=detail)


async def run_agent(
    job: Job,
    agent: Agent,
    question: Question,
    progress: Progress,
    *,
    tenant: Tenant,
    task_id: UUID,
    flow_id: UUID | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    token_budget: int | None = None,
    cpu_budget_seconds: float | None = None,
    withheld: Problem | None = None,
) -> AgentResult:
    """Answer a question; never raises for what a model does or lacks: then the rules' answer says why it stands alone.

    No model is asked where `withheld` says why not, nor once the rules have spent the CPU budget. Raises whatever the
    rules raise, which is a bug: they answer every question that fits the agent's type.
    """
    started = time.monotonic()
    await progress(0, _STEPS, "applying the rules")
    cpu = CpuTime(cpu_budget_seconds)
    ruled = await cpu.run(job, agent.rules, question)
    doubts = doubtful(agent, ruled)
    if not doubts or token_budget == 0:
        return result_of(agent, ruled, doubts, None, started=started, cpu=cpu)
    if withheld or cpu.overspent:
        return result_of(agent, ruled, doubts, None, started=started, cpu=cpu, fallback=withheld or cpu.overspent)
    deadline = started + timeout_seconds
    context = RunContext(tenant, flow_id, task_id, agent.agent_id, agent.prompt_version, token_budget, deadline)
    models, task = job.shared[Models], agent.capabilities[0]
    model = await models.model_for(context, task, simple=agent.simple)
    if isinstance(model, NoModel):
        return result_of(agent, ruled, doubts, None, started=started, cpu=cpu, fallback=model.problem)
    await progress(1, _STEPS, f"asking {model.name} about {len(doubts)} of {len(ruled.answers)}")
    shown = await cpu.run(job, asked, agent, question, doubts)
    recalled: Recalled = await models.memory.recall(context, shown["doubts"])
    # What recalling took counts in the run's budgets.
    model.calls.extend(recalled.calls)
    shown = recalled.beside(shown)
    async with tools_for(agent, Run(tenant, job, task_id, agent.agent_id), deadline) as tools:
        opinion = await _opinion(agent, model, shown, tools, deadline)
        # Who said nothing was not unsure: the session has asked the others of its chain.
        sure = 1.0 if opinion.said is None else mean_confidence(opinion.said.answers)
        if stronger := await models.escalated(context, task, sure, model):
            await progress(2, _STEPS, f"asking {stronger.name}, because the first was unsure")
            second = await _opinion(agent, stronger, shown, tools, deadline)
            calls = [*opinion.calls, *second.calls]
            opinion = Opinion(opinion.said if second.said is None else second.said, None, calls)
    compared: Compared | None = None
    if opinion.said is not None:
        compared = await cpu.run(job, compare, agent, question, ruled, doubts, opinion.said)
    problem = opinion.problem
    if compared is not None and not compared.taken:
        problem, compared = _unusable(compared), None
    result = result_of(agent, ruled, doubts, compared, started=started, cpu=cpu, fallback=problem, calls=opinion.calls)
    return recalled.told_in(result.model_copy(update={"tools": tools.used, "tools_missing": tools.missing}))


async def _opinion(
    agent: Agent, model: TenantModel, shown: Mapping[str, Any], tools: ToolCalls, deadline: float
) -> Opinion:
    """What one model says until the deadline; whatever goes wrong is the reason why the rules' answer stands."""
    problem: Problem | None = None
    said: Answers | None = None
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            said = await ask_crew(agent, model, shown, tools)
    except TimeoutError:
        detail = f"{model.name} gave no answer in the time that the task has. Give it more, or choose a faster model."
        problem = model.problem or Problem(code="agent_timed_out", detail=detail)
    except ExpectedFailure as error:
        problem = error.problem
    except Exception as error:
        # A crew is other people's code around a model's words: neither may take the rules' answer away.
        log.exception("crew_failed", agent=agent.agent_id, model=model.name)
        detail = f"The crew of {agent.title} ended with {type(error).__name__}: {str(error)[:300]}"
        problem = model.problem or Problem(code="crew_failed", detail=detail)
    finally:
        model.stop_calls()
    return Opinion(said, problem, list(model.calls))


def _unusable(compared: Compared) -> Problem:
    why = compared.refused[0] if compared.refused else "it said nothing about what was asked"
    detail = f"Nothing of what the model said could be taken: {why}."
    return Problem(code="model_answer_unusable", detail=detail)


def result_of(
    agent: Agent,
    ruled: Answers,
    doubts: list[Judgement],
    compared: Compared | None,
    *,
    started: float,
    cpu: CpuTime,
    fallback: Problem | None = None,
    calls: Sequence[ModelCall] = (),
) -> AgentResult:
    """What is told of a run, with what all calls used, also those that led to nothing."""
    answers = list(ruled.answers) if compared is None else compared.answers
    overruled = [] if compared is None else compared.overruled
    # The last that gave an answer: a stronger one may have been asked in vain.
    answered = (f"{call.provider}/{call.model}" for call in reversed(calls) if call.outcome == "ok")
    return AgentResult(
        agent=agent.agent_id,
        engine=RULES if compared is None else MODEL,
        model=None if compared is None else next(answered, None),
        prompt_version=agent.prompt_version,
        confidence=mean_confidence(answers),
        output=_dumped(answers),
        rules_output=_dumped(overruled) if overruled else None,
        differs=bool(overruled),
        rationale=told(ruled, doubts, compared),
        fallback=fallback,
        asked=len(doubts),
        otherwise=len(overruled),
        calls=len(calls),
        calls_failed=sum(call.outcome != "ok" for call in calls),
        tokens_in=sum(call.tokens_in for call in calls),
        tokens_out=sum(call.tokens_out for call in calls),
        cost_usd=sum((call.cost_usd for call in calls), start=Decimal(0)),
        seconds=round(time.monotonic() - started, 3),
        cpu_seconds=round(cpu.spent, 3),
    )


def _dumped(answers: list[Judgement]) -> dict[str, Any]:
    return {"answers": [answer.model_dump(mode="json") for answer in answers]}
