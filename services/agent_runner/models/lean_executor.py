"""CrewAI's loop of thinking and calling tools, without a thread for every step of it.

Its executor is a flow of a dozen steps a run, of which two or three wait for a model or a tool. CrewAI runs each in a
thread, notes in another that nothing is persisted, looks at the conditions of all steps after each, and makes objects
that know their signature of all methods for each executor. Here only the steps that wait go to a thread, and what
follows on what is looked up in a table that is made once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from types import MethodType
from typing import Any

# These only look at the state of the run; with planning, which our crews do not use, they could wait for a model.
IMMEDIATE = frozenset(
    {
        "generate_plan",
        "check_todos_available",
        "initialize_reasoning",
        "continue_iteration",
        "check_max_iterations",
        "route_by_answer_type",
        "check_todo_completion",
        "check_native_todo_completion",
        "increment_and_continue",
        "recover_from_parser_error",
        "finalize",
    }
)


@cache
def lean_executor() -> type[Any]:
    """The executor for `Agent.executor_class`; CrewAI must be loaded."""
    from crewai.agents.agent_executor import AgentExecutor, AgentExecutorState
    from crewai.flow.flow import FlowState

    class State(FlowState, AgentExecutorState):
        """What CrewAI would otherwise build, the same each time, for each agent of each run."""

    steps: Any = AgentExecutor
    followers = _followers(steps.flow_definition())

    class LeanExecutor(AgentExecutor):
        """The same steps in the same order."""

        def _class_bound_methods(self) -> dict[Any, Callable[..., Any]]:
            return {name: MethodType(getattr(steps, name).unwrap(), self) for name in self._definition.methods}

        def _find_triggered_methods(self, trigger_method: Any, router_only: bool) -> list[Any]:
            found = []
            for name, once in followers.get((str(trigger_method), router_only), ()):
                if once:
                    if name in self._fired_or_listeners:
                        continue
                    self._fired_or_listeners.add(name)
                found.append(name)
            return found

        async def _execute_method(self, method_name: Any, method: Any, *args: Any, **kwargs: Any) -> tuple[Any, None]:
            if method_name in IMMEDIATE and not getattr(self.agent, "planning_enabled", False):
                result = method(*args, **kwargs)
            else:
                result = await asyncio.to_thread(method, *args, **kwargs)
            if asyncio.iscoroutine(result):
                result = await result
            self._method_outputs.append({"method": str(method_name), "output": result})
            self._completed_methods.add(method_name)
            return result, None

    lean: Any = LeanExecutor
    lean._initial_state_t, lean._flow_definition = State, steps.flow_definition()
    return LeanExecutor


def _followers(definition: Any) -> Mapping[tuple[str, bool], list[tuple[Any, bool]]]:
    """By what happened, and whether routers are asked for: the steps that follow, and which of them do so only once.

    Raises `ValueError` for a step that waits for several things at once, which this table cannot tell.
    """
    from crewai.flow.types import FlowMethodName

    found: dict[tuple[str, bool], list[tuple[Any, bool]]] = defaultdict(list)
    for name, method in definition.methods.items():
        if method.listen is None:
            continue
        triggers = _any_of(method.listen)
        for trigger in triggers:
            found[trigger, method.router].append((FlowMethodName(name), len(triggers) > 1 and not method.router))
    return found


def _any_of(condition: Any) -> list[str]:
    if isinstance(condition, str):
        return [condition]
    if list(condition) != ["or"]:
        raise ValueError(f"a step of CrewAI's executor waits for {condition!r}")
    return [trigger for branch in condition["or"] for trigger in _any_of(branch)]
