"""The tools that one run may call, and what became of its calls: bounded in number, time and size, never raising."""

import asyncio
import concurrent.futures
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from contracts.agents import ToolUse
from contracts.envelope import Problem
from services.agent_runner.agents.data_block import data_block
from services.agent_runner.tools.definition import Run, Tool
from services.chassis.errors import ExpectedFailure

log = structlog.get_logger()

# A run that needs more goes in circles.
MOST_CALLS = 25
CALL_SECONDS = 15.0
# Of a result as a model is shown it, in characters.
LONGEST_RESULT = 8_000
LONGEST_PROBLEM = 500


@dataclass(frozen=True)
class Offered:
    """A tool as a run may call it: what a model is told of it, and what its arguments become."""

    name: str
    description: str
    schema: Mapping[str, Any]
    call: Callable[[Mapping[str, Any]], Awaitable[Any]]


@dataclass(frozen=True)
class Told:
    """What a model is told of a call."""

    text: str
    failed: bool


def offered(tool: Tool, run: Run) -> Offered:
    """One of our tools, for one run: whose rights it has is settled here, before any model is asked."""

    async def call(arguments: Mapping[str, Any]) -> Any:
        return await tool.call(run, tool.arguments.model_validate(arguments))

    return Offered(tool.name, tool.description, tool.arguments.model_json_schema(), call)


class ToolCalls:
    """The calls of one run. What raises, hangs or is too large becomes words for the model, and the run goes on."""

    def __init__(self, given: Iterable[Offered] = (), missing: Sequence[Problem] = (), deadline: float | None = None):
        self.given = {tool.name: tool for tool in given}
        self.missing = list(missing)
        self._deadline = deadline
        self._used: dict[str, ToolUse] = {}
        self._begun = 0
        self._loop = asyncio.get_running_loop()
        self._waiting: set[concurrent.futures.Future[Told]] = set()
        self._stopped = False

    @property
    def used(self) -> list[ToolUse]:
        """Which tools were called how often, by name."""
        return [self._used[name] for name in sorted(self._used)]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Told:
        """What one call gives."""
        # Before anything is waited for: a model asks for several at once.
        self._begun += 1
        if self._begun > MOST_CALLS:
            return self._failure(name, f"This run has called tools {MOST_CALLS} times. Answer with what you know.")
        seconds = CALL_SECONDS
        if self._deadline is not None:
            seconds = max(0.0, min(seconds, self._deadline - time.monotonic()))
        try:
            async with asyncio.timeout(seconds):
                value = await self.given[name].call(arguments)
            text = data_block({"result": value}, LONGEST_RESULT)
        except TimeoutError:
            return self._failure(name, f"{name} gave nothing within {seconds:.0f} s.")
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "arguments"
            return self._failure(name, f"{name} does not take these arguments: {place}: {first['msg']}.")
        except ExpectedFailure as error:
            return self._failure(name, error.problem.detail)
        except Exception as error:
            log.exception("tool_failed", tool=name)
            return self._failure(name, f"{name} is broken ({type(error).__name__}). Go on without it.")
        self._count(name)
        return Told(text, failed=False)

    def call_from_thread(self, name: str, arguments: Mapping[str, Any]) -> Told:
        """The same for a thread of CrewAI, which waits for it."""
        asked = self.call(name, arguments)
        if self._stopped:
            asked.close()
            raise concurrent.futures.CancelledError
        waiting = asyncio.run_coroutine_threadsafe(asked, self._loop)
        self._waiting.add(waiting)
        try:
            return waiting.result()
        finally:
            self._waiting.discard(waiting)

    def stop(self) -> None:
        """End what is still being called: the run is over."""
        self._stopped = True
        for waiting in list(self._waiting):
            waiting.cancel()

    def _failure(self, name: str, problem: str) -> Told:
        self._count(name, problem[:LONGEST_PROBLEM])
        return Told(data_block({"error": problem[:LONGEST_PROBLEM]}), failed=True)

    def _count(self, name: str, problem: str | None = None) -> None:
        use = self._used.get(name, ToolUse(tool=name, calls=0))
        failed = {} if problem is None else {"failed": use.failed + 1, "problem": problem}
        self._used[name] = use.model_copy(update={"calls": use.calls + 1, **failed})
