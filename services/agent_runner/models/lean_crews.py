"""Crews without what CrewAI would do beside the work of a run.

It writes each task's output to one SQLite file for all crews of a process, from which a run deletes those of others:
that would mix tenants, and nobody reads it. It builds a class anew for the state of each agent. And four times a run it
holds up the loop until a new thread has looked for files that were uploaded with a question, of which ours have none.
Without that a run costs the processor half.
"""

from collections.abc import Coroutine
from functools import cache
from typing import Any


def lean(crew: Any) -> Any:
    """The same crew, before it is started: its outputs stay with the run, its agents' states have one class."""
    _once()
    crew._task_output_handler = _KeepsNothing()
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
    from crewai.agents.agent_executor import AgentExecutor, AgentExecutorState
    from crewai.flow.flow import FlowState
    from crewai.utilities import file_store

    class State(FlowState, AgentExecutorState):
        """What CrewAI would otherwise build, the same each time, for each agent of each run."""

    executor: Any = AgentExecutor
    executor._initial_state_t = State
    store: Any = file_store
    store._file_store, store._run_sync = None, _at_once


def _at_once(asked: Coroutine[None, None, Any]) -> Any:
    """What a coroutine returns that waits for nothing, as those of a store that is not there."""
    try:
        asked.send(None)
    except StopIteration as done:
        return done.value
    asked.close()
    raise RuntimeError("CrewAI waits for uploaded files, which our crews do not have")
