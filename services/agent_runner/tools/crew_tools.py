"""A run's tools in the shape of CrewAI's. CrewAI is loaded before the first one is made."""

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr

from services.agent_runner.tools.calls import Offered, ToolCalls


class AnyArguments(BaseModel):
    """What CrewAI checks arguments with: nothing, for the tool itself does, and says better what is wrong."""

    model_config = ConfigDict(extra="allow")


def crew_tools(calls: ToolCalls) -> list[Any]:
    """The tools that a crew is given."""
    return [_tool_class()(tool, calls) for tool in calls.given.values()]


@cache
def _tool_class() -> Callable[[Offered, ToolCalls], Any]:
    from crewai.tools import BaseTool
    from crewai.tools.tool_failure import ToolFailure

    class CrewTool(BaseTool):
        """A tool whose calls go to the run's loop."""

        args_schema: type[BaseModel] = AnyArguments
        _calls: ToolCalls = PrivateAttr()

        # Positional only: a model may call an argument as it likes.
        def run(self, /, *args: Any, **arguments: Any) -> Any:
            return self._run(**arguments)

        def _run(self, /, *args: Any, **arguments: Any) -> Any:
            told = self._calls.call_from_thread(self.name, arguments)
            return ToolFailure(message=told.text) if told.failed else told.text

        def bind(self, calls: ToolCalls) -> "CrewTool":
            self._calls = calls
            return self

    return lambda tool, calls: CrewTool(name=tool.name, description=tool.description).bind(calls)
