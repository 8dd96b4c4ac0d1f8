"""Crews without what CrewAI would do beside the work of a run.

It writes each task's output to one SQLite file for all crews of a process, from which a run deletes those of others:
that would mix tenants, and nobody reads it. Four times a run it holds up the loop until a new thread has looked for
files that were uploaded with a question, of which ours have none. And it describes each tool twice a run.
Without that, and with the executor of `lean_executor.py`, a run costs the processor a third.
"""

from collections.abc import Coroutine
from functools import cache, lru_cache
from typing import Any

from services.agent_runner.models.lean_executor import lean_executor

KNOWN_TOOLS = 1_000


def lean(crew: Any) -> Any:
    """The same crew, before it is started: its outputs stay with the run, and its agents take the short ways."""
    _once()
    crew._task_output_handler = _KeepsNothing()
    for agent in crew.agents:
        agent.executor_class = lean_executor()
    return crew


class _KeepsNothing:
    """In place of CrewAI's store of task outputs."""

    def reset(self) -> None:
        """There is nothing to forget."""

    def update(self, task_index: int, log: dict[str, Any]) -> None:
        """The crew's result has it."""

    def load(self) -> list[dict[str, Any]]:
        """There is nothing to replay."""
        return []


@cache
def _once() -> None:
    from crewai.tools import structured_tool
    from crewai.utilities import file_store

    store: Any = file_store
    store._file_store, store._run_sync = None, _at_once
    tools: Any = structured_tool
    tools.format_description_for_llm = lru_cache(KNOWN_TOOLS)(structured_tool.format_description_for_llm)


def _at_once(asked: Coroutine[None, None, Any]) -> Any:
    """What a coroutine returns that waits for nothing, as those of a store that is not there."""
    try:
        asked.send(None)
    except StopIteration as done:
        return done.value
    asked.close()
    raise RuntimeError("CrewAI waits for uploaded files, which our crews do not have")
