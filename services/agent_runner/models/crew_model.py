"""A run's session in the shape of a CrewAI model. CrewAI is loaded before the first one is made."""

import asyncio
import concurrent.futures
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, PrivateAttr

from contracts.agents import ModelCall
from contracts.envelope import Problem
from services.agent_runner.models.exchange import Answer, Request
from services.agent_runner.models.session import Session

MOST_TOKENS_OUT = 4096


class TenantModel(ABC):
    """What crews take as `llm`; it belongs to one run. Made by `Models.model_for`, always a `crewai.BaseLLM`, too."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """The run's calls and what they share."""

    @property
    def calls(self) -> list[ModelCall]:
        """What was called for this run, in order."""
        return self.session.calls

    @property
    def problem(self) -> Problem | None:
        """Why no model answers this run any more, if so: the reason for falling back to rules."""
        return self.session.problem

    @property
    def name(self) -> str:
        """The model that is asked first: `provider/model`."""
        return self.session.chain[0].name

    @abstractmethod
    def offer(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        """Tell providers these schemas of tools' arguments, by name: CrewAI's would make each a required one."""

    @abstractmethod
    def stop_calls(self) -> None:
        """End what is still being asked: the run was cancelled, and a thread of CrewAI may wait for an answer."""


@cache
def crew_model_class() -> Callable[[Session], TenantModel]:  # noqa: C901 - the methods of a class, none of them long
    """The class of models for crews; CrewAI must be loaded."""
    from crewai import BaseLLM

    class CrewModel(TenantModel, BaseLLM):
        """A model whose calls go through a session; its threads ask on the loop that made it."""

        _session: Session = PrivateAttr()
        _loop: asyncio.AbstractEventLoop = PrivateAttr()
        _asking: set[concurrent.futures.Future[Any]] = PrivateAttr(default_factory=set)
        _stopped: bool = PrivateAttr(default=False)
        _schemas: Mapping[str, Mapping[str, Any]] = PrivateAttr(default_factory=dict)

        @property
        def session(self) -> Session:
            return self._session

        def bind(self, session: Session) -> "CrewModel":
            self._session, self._loop = session, asyncio.get_running_loop()
            return self

        def offer(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
            self._schemas = schemas

        def stop_calls(self) -> None:
            self._stopped = True
            for asking in list(self._asking):
                asking.cancel()

        async def acall(
            self,
            messages: Any,
            tools: Any = None,
            callbacks: Any = None,
            available_functions: Any = None,
            from_task: Any = None,
            from_agent: Any = None,
            response_model: type[BaseModel] | None = None,
        ) -> Any:
            request = Request(
                messages=self._messages_for(messages),
                tools=[_offered(tool, self._schemas) for tool in tools or ()],
                schema=None if response_model is None else response_model.model_json_schema(),
                max_tokens=int(self.max_tokens or MOST_TOKENS_OUT),
                temperature=self.temperature or 0.0,
                stop=tuple(self.stop_sequences),
            )
            taken = Taken(request, response_model)
            await self._session.complete(request, taken.take)
            self._count(taken.answer)
            return taken.value

        def call(
            self,
            messages: Any,
            tools: Any = None,
            callbacks: Any = None,
            available_functions: Any = None,
            from_task: Any = None,
            from_agent: Any = None,
            response_model: type[BaseModel] | None = None,
        ) -> Any:
            asked = self.acall(messages, tools=tools, response_model=response_model)
            if self._stopped:
                asked.close()
                raise concurrent.futures.CancelledError
            asking = asyncio.run_coroutine_threadsafe(asked, self._loop)
            self._asking.add(asking)
            try:
                return asking.result()
            finally:
                self._asking.discard(asking)

        # CrewAI would try again what looks like a rate limit; the session has done so, within its deadline.
        acall._crewai_rate_limit_wrapped = True  # type: ignore[attr-defined]  # CrewAI's mark
        call._crewai_rate_limit_wrapped = True  # type: ignore[attr-defined]  # CrewAI's mark

        def _messages_for(self, messages: Any) -> list[dict[str, Any]]:
            return [{**message} for message in self._format_messages(messages)]

        def _count(self, answer: Answer) -> None:
            usage = {"prompt_tokens": answer.tokens_in, "completion_tokens": answer.tokens_out}
            self._track_token_usage_internal({**usage, "total_tokens": answer.tokens_in + answer.tokens_out})

        def supports_function_calling(self) -> bool:
            return True

        def supports_stop_words(self) -> bool:
            return False

        def get_context_window_size(self) -> int:
            return int(min(endpoint.entry.context for endpoint in self._session.chain) * 0.85)

        def get_input_tokens_count(self, messages: Any, tools: Any = None, response_model: Any = None) -> int:
            return (sum(len(str(each)) for each in messages) + 3) // 4

    return lambda session: CrewModel(model=session.chain[0].model, temperature=0.0, provider="modernize").bind(session)


def _offered(tool: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    function = tool["function"]
    if function["name"] not in schemas:
        return tool
    told = {"name": function["name"], "description": function["description"]}
    return {"type": "function", "function": {**told, "parameters": schemas[function["name"]]}}


class Taken:
    """Judges an answer: of the type that was asked for, else calls of tools that were offered, else a text."""

    def __init__(self, request: Request, response_model: type[BaseModel] | None) -> None:
        self._offered = request.tool_names()
        self._response_model = response_model
        self.answer = Answer("")
        self.value: Any = None

    def take(self, answer: Answer) -> None:
        """Keep what the answer says; raises `ValueError` where it is not what was asked for."""
        self.answer = answer
        calls = [call for call in answer.tool_calls if call.name in self._offered]
        if calls:
            self.value = [
                {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in calls
            ]
        elif self._response_model is not None:
            self.value = self._response_model.model_validate_json(_json_in(answer.text))
        elif answer.text.strip():
            self.value = answer.text
        else:
            raise ValueError("neither a text nor a call of a tool that was offered")


def _json_in(text: str) -> str:
    """The JSON object in a text, also where a model wraps it in words or a code fence."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text
