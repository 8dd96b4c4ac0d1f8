"""How a service says what it does: a handler's signature is its wiring."""

import inspect
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from contracts.configuration import ConfigurationChanged
from contracts.envelope import EVENT_TYPES, Envelope, Event
from contracts.work import WorkCancelled
from services.chassis.cancelling import cancel_work
from services.chassis.configuration import keep_configuration
from services.chassis.tables import ServiceMetaData

if TYPE_CHECKING:
    from prometheus_client import Metric
    from sqlalchemy.ext.asyncio import AsyncConnection

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True)
class Handler:
    """One handler: the events it hears, those it may emit, whether it is long work, whether it takes many at once.

    `envelopes`: it hears all events, of whatever data, and gets their envelopes. `waits`: it is long only because other
    systems are slow.
    """

    function: Callable[..., Awaitable[Any]]
    hears: tuple[type[Event], ...]
    emits: tuple[type[Event], ...]
    long: bool
    batch: bool = False
    envelopes: bool = False
    waits: bool = False

    @property
    def many(self) -> bool:
        """Whether many events cost it little more than one, so that they are better taken together."""
        return self.batch or self.long

    @property
    def patient(self) -> bool:
        """Whether nothing waits for it: it only keeps or shows what happened, and may do so for several at once."""
        return self.batch and (self.envelopes or not self.emits)

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
        self.shared: list[Callable[[Any], AsyncIterator[Any]]] = []
        self.concerns: list[Callable[[AsyncConnection], Awaitable[str | None]]] = []
        self.measures: list[Callable[[AsyncConnection], Awaitable[list[Metric]]]] = []

    def on(self, function: Function) -> Function:
        """Register a short handler `(event, session) -> event | list of events | None`.

        It runs inside the transaction of the event's inbox row, in the event's tenant, and never touches the network.
        One whose first parameter is a list of events gets all new events of a message that are of one tenant, in order;
        the events that it returns have the `causation_id` of the one that caused them. If it raises, it is called
        again for each event alone. One that takes `Envelope` hears every event, also one whose data fits no schema.
        """
        self._add(function, long=False)
        return function

    def work(self, function: Function) -> Function:
        """Register long work `(event, job) -> event | list of events | None`: under a lease, outside transactions.

        A service with such work also hears `work.cancelled`, without a handler of its own. One that hears everything
        anyway takes its requests from there, after its handler has seen them: an event comes to a service once.
        """
        first = not any(handler.long for handler in self.handlers)
        self._add(function, long=True)
        if first and not self.hears_everything:
            self.subscribe(partial(cancel_work, self.metadata), hears=[WorkCancelled], emits=[])
        return function

    def waiting_work(self, function: Function) -> Function:
        """Register `work` that waits for systems of others: in slots of its own, so that it holds up nothing else.

        It neither computes nor reads much: what it may do at a time is more than the work that does.
        """
        self.work(function)
        self.handlers = [replace(each, waits=each.waits or each.function is function) for each in self.handlers]
        return function

    def on_external(self, function: Function) -> Function:
        """Register what admits CloudEvents of other systems: `(message, api_key, session, runtime) -> events`."""
        self.external = function
        return function

    def every(self, seconds: float) -> Callable[[Function], Function]:
        """Register a sweep `(runtime) -> None`, run at the start and then every so many seconds."""

        def register(function: Function) -> Function:
            self.sweeps.append(Sweep(seconds, function))
            return function

        return register

    def share(self, function: "Callable[[Any], AsyncIterator[Any]]") -> None:
        """Register `async def (runtime)` that yields one object for as long as the process runs the service.

        Handlers of long work get it by its class: `job.shared[Class]`.
        """
        self.shared.append(function)

    def measure(
        self, function: "Callable[[AsyncConnection], Awaitable[list[Metric]]]"
    ) -> "Callable[[AsyncConnection], Awaitable[list[Metric]]]":
        """Register what Prometheus may know beside outbox and work: read as the dispatcher, without tenants' data."""
        self.measures.append(function)
        return function

    def concern(
        self, function: "Callable[[AsyncConnection], Awaitable[str | None]]"
    ) -> "Callable[[AsyncConnection], Awaitable[str | None]]":
        """Register what readiness tells although the service can work: a sentence, or None. Read as the dispatcher."""
        self.concerns.append(function)
        return function

    def subscribe(
        self, function: Function, hears: list[type[Event]], emits: list[type[Event]], *, batch: bool = False
    ) -> Function:
        """Register a short handler whose events are data, such as those of all flow types."""
        once = tuple(dict.fromkeys(hears)), tuple(dict.fromkeys(emits))
        self.handlers.append(Handler(function, *once, long=False, batch=batch))
        return function

    def emitted(self) -> list[type[Event]]:
        """Every event this service may emit, by name."""
        return sorted({event for handler in self.handlers for event in handler.emits}, key=lambda e: e.type_name)

    def heard(self) -> list[type[Event]]:
        """Every event this service hears, by name; `Event` itself stands for all."""
        return sorted({event for handler in self.listening() for event in handler.hears}, key=lambda e: e.type_name)

    def listening(self) -> list[Handler]:
        """The handlers that have queues of their own, and what keeps the configuration.

        Where all is heard, everything comes with it, and only once.
        """
        if self.hears_everything:
            return [handler for handler in self.handlers if Event in handler.hears]
        keeping = partial(keep_configuration, self.metadata)
        return [*self.handlers, Handler(keeping, hears=(ConfigurationChanged,), emits=(), long=False)]

    def handler_of(self, event_type: str) -> Handler | None:
        """The handler of an event type, if this service has one."""
        wanted = EVENT_TYPES.get(event_type)
        own = next((handler for handler in self.handlers if wanted in handler.hears), None)
        return own or next((handler for handler in self.handlers if Event in handler.hears), None)

    @property
    def hears_everything(self) -> bool:
        """Whether one of its handlers hears every event."""
        return any(Event in handler.hears for handler in self.handlers)

    def queue_of(self, event_class: type[Event]) -> str:
        """The queue in which this service hears an event: `<service>.<event>`, or `<service>.all`."""
        return f"{self.name}.{'all' if self.hears_everything else event_class.type_name}"

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
        batch = typing.get_origin(hints[first]) is list
        if batch and long:
            raise TypeError(f"{function.__qualname__}: long work is done one event at a time")
        envelopes = Envelope in (hints[first], *typing.get_args(hints[first]))
        if envelopes and long:
            raise TypeError(f"{function.__qualname__}: long work has to understand its event")
        self.handlers.append(Handler(function, hears, _event_classes(hints.get("return")), long, batch, envelopes))


def _event_classes(annotation: Any) -> tuple[type[Event], ...]:
    """The event classes in an annotation: a class, a union, a list of either; an envelope may be of any event."""
    if annotation is Envelope:
        return (Event,)
    if isinstance(annotation, type) and issubclass(annotation, Event):
        return (annotation,)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, list):
        return tuple(found for part in typing.get_args(annotation) for found in _event_classes(part))
    return ()
