"""How a service says what it does: a handler's signature is its wiring."""

import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from contracts.envelope import EVENT_TYPES, Event
from services.chassis.tables import ServiceMetaData

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True)
class Handler:
    """One handler: the events it hears, those it may emit, and whether it is long work."""

    function: Callable[..., Awaitable[Any]]
    hears: tuple[type[Event], ...]
    emits: tuple[type[Event], ...]
    long: bool

    @property
    def failure(self) -> type[Event] | None:
        """The `.failed` event that an expected failure becomes, where the handler emits one."""
        return next((event for event in self.emits if event.type_name.endswith(".failed")), None)


@dataclass(frozen=True)
class Sweep:
    """Something a service looks after again and again: `function(runtime)` every so many seconds."""

    seconds: float
    function: Callable[[Any], Awaitable[None]]


class Service:
    """The declaration of a service: its tables and its handlers. A `Runtime` runs it."""

    def __init__(self, metadata: ServiceMetaData) -> None:
        self.name = metadata.service
        self.metadata = metadata
        self.handlers: list[Handler] = []
        self.external: Callable[..., Awaitable[Any]] | None = None
        self.sweeps: list[Sweep] = []

    def on(self, function: Function) -> Function:
        """Register a short handler `(event, session) -> event | list of events | None`.

        It runs inside the transaction of the event's inbox row, in the event's tenant, and never touches the network.
        """
        self._add(function, long=False)
        return function

    def work(self, function: Function) -> Function:
        """Register long work `(event, job) -> event | list of events | None`: under a lease, outside transactions."""
        self._add(function, long=True)
        return function

    def on_external(self, function: Function) -> Function:
        """Register what admits CloudEvents of other systems: `(message, api_key, session) -> list of events`."""
        self.external = function
        return function

    def every(self, seconds: float) -> Callable[[Function], Function]:
        """Register a sweep `(runtime) -> None`, run at the start and then every so many seconds."""

        def register(function: Function) -> Function:
            self.sweeps.append(Sweep(seconds, function))
            return function

        return register

    def subscribe(self, function: Function, hears: list[type[Event]], emits: list[type[Event]]) -> Function:
        """Register a short handler whose events are data, such as those of all flow types."""
        self.handlers.append(Handler(function, tuple(hears), tuple(emits), long=False))
        return function

    def emitted(self) -> list[type[Event]]:
        """Every event this service may emit, by name."""
        return sorted({event for handler in self.handlers for event in handler.emits}, key=lambda e: e.type_name)

    def heard(self) -> list[type[Event]]:
        """Every event this service hears, by name; `Event` itself stands for all."""
        return sorted({event for handler in self.handlers for event in handler.hears}, key=lambda e: e.type_name)

    def handler_of(self, event_type: str) -> Handler | None:
        """The handler of an event type, if this service has one."""
        wanted = EVENT_TYPES.get(event_type)
        return next((h for h in self.handlers if wanted in h.hears or Event in h.hears), None)

    def queue_of(self, event_class: type[Event]) -> str:
        """The queue in which this service hears an event: `<service>.<event>`, or `<service>.all`."""
        return f"{self.name}.{'all' if event_class is Event else event_class.type_name}"

    def _add(self, function: Callable[..., Awaitable[Any]], *, long: bool) -> None:
        hints = typing.get_type_hints(function)
        first = next(iter(inspect.signature(function).parameters))
        hears = _event_classes(hints[first])
        if not hears:
            raise TypeError(f"{function.__qualname__}: the first parameter must be annotated with an event class")
        taken = {event.type_name for handler in self.handlers for event in handler.hears}
        if again := taken & {event.type_name for event in hears}:
            raise TypeError(
                f"{function.__qualname__}: {self.name} already has a handler for {', '.join(sorted(again))}"
            )
        self.handlers.append(Handler(function, hears, _event_classes(hints.get("return")), long))


def _event_classes(annotation: Any) -> tuple[type[Event], ...]:
    """The event classes in an annotation: a class, a union, a list of either."""
    if isinstance(annotation, type) and issubclass(annotation, Event):
        return (annotation,)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, list):
        return tuple(found for part in typing.get_args(annotation) for found in _event_classes(part))
    return ()
