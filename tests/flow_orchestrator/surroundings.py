"""What is around the orchestrators in the simulation: a bus that delivers at least once, workers and people."""

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid5

from contracts.agent_tasks import AgentTaskFailed, AgentTaskRequested
from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalRequested, FlowUpdated
from contracts.lifecycle import (
    LEGAL_ACTIONS,
    ApprovalWithdrawn,
    ChildFlowEnded,
    FlowControlRequested,
    FlowForkRequested,
    StartOptions,
)
from contracts.planning import PlanningRequested, ReportRequested, WavePlanningRequested
from contracts.work import WorkCancelled
from services.flow_orchestrator.flows.catalogue import Catalogue
from services.flow_orchestrator.flows.planning import PLANNING
from tests.flow_orchestrator.answers import TENANT, a_modernization, answer, decision, failure
from tests.flow_orchestrator.generated import WAYS, a_flow, older
from tests.flow_orchestrator.model import Tables
from tests.flow_orchestrator.proof import Proof
from tests.flow_orchestrator.run import NOW
from tests.flow_orchestrator.shapes import BUSY

CAP = 2
TO_WORKERS = (AgentTaskRequested, WavePlanningRequested, ReportRequested, WorkCancelled)
TO_PEOPLE = (ApprovalRequested, ApprovalWithdrawn)
ACTIONS = {"pause": 4, "resume": 3, "retry": 3, "skip": 3, "cancel": 2, "start": 2, "migrate": 3, "delete": 1}


@dataclass(eq=False)
class Message:
    """Events on their way to a listener; it stays until it is acknowledged."""

    queue: str
    events: tuple[Event, ...]
    ready_at: datetime
    taken: bool = False
    attempts: int = 0


class Surroundings:
    """A bus, workers, people and a clock; whatever they do is drawn from one seed."""

    def __init__(self, seed: int, trace: bool = False) -> None:
        self.random = Random(seed)
        self.seed = seed
        self.trace = trace
        self.now = NOW
        self.calm = False
        newest = a_flow(self.random, self.random.randint(2, 7))
        self.catalogue = Catalogue(newest, older(newest), PLANNING)
        about_all: list[type[Event]] = [ApprovalDecided, ChildFlowEnded, FlowControlRequested, FlowForkRequested]
        self.heard = {*about_all, *(event for each in self.catalogue.all() for event in each.hears())}
        self.tables = Tables()
        self.proof = Proof(self.catalogue, self.tables, CAP)
        self.messages: list[Message] = []
        self.to_answer: list[tuple[datetime, Event]] = []
        self.to_decide: list[ApprovalRequested] = []
        self.seen: dict[str, set[UUID]] = {"worker": set(), "people": set()}
        self.flows: list[UUID] = []
        self.numbers = 0

    def say(self, what: str) -> None:
        if self.trace:
            print(f"{self.now:%d %H:%M:%S} {what}", file=sys.stderr)  # noqa: T201

    # -- the bus

    def route(self, events: tuple[Event, ...]) -> None:
        kind = events[0]
        if isinstance(kind, FlowUpdated):
            self.post("read model", events)
        elif isinstance(kind, TO_WORKERS):
            self.post("worker", events)
        elif isinstance(kind, TO_PEOPLE):
            self.post("people", events)
        elif type(kind) in self.heard:
            self.post("orchestrator", events)

    def post(self, queue: str, events: tuple[Event, ...], seconds: float = 0, attempts: int = 0) -> None:
        for event in events:
            # Ids of events are not part of what a seed says; their order here is.
            self.tables.order.setdefault(event.id, len(self.tables.order))
        copies = 2 if not self.calm and self.random.random() < 0.08 else 1
        for _ in range(copies):
            late = self.random.choice([0, 0, 0, 1, 1, 60, 600]) if not self.calm else 0
            if isinstance(events[0], PlanningRequested) and not self.calm and self.random.random() < 0.3:
                # So that its parent may call a child back before it has begun.
                late = 500
            self.messages.append(Message(queue, events, self.now + timedelta(seconds=seconds + late), False, attempts))

    def somebody_hears(self, queue: str, event: Event) -> None:
        if isinstance(event, FlowUpdated):
            self.proof.hears(event)
        elif event.id not in self.seen[queue]:
            self.seen[queue].add(event.id)
            if isinstance(event, WorkCancelled):
                stopped = (event.flow_id, event.step)
                self.to_answer = [each for each in self.to_answer if (each[1].flow_id, each[1].step) != stopped]
            elif queue == "worker":
                late = self.random.choice([0, 0, 1, 30, 5000, 9000]) if not self.calm else 0
                self.to_answer.append((self.now + timedelta(seconds=late), event))
            elif isinstance(event, ApprovalRequested):
                self.to_decide.append(event)

    # -- workers and people

    def a_worker_answers(self, due: tuple[datetime, Event]) -> None:
        self.to_answer.remove(due)
        request, dice = due[1], 1 if self.calm else self.random.random()
        if dice < 0.08:
            self.say(f"silence about {request.step}")
            return
        if dice < 0.25 and isinstance(request, AgentTaskRequested):
            reply = failure(AgentTaskFailed, request, BUSY if dice < 0.2 else "broken")
        else:
            reply = answer(request, **(WAYS[0] if self.calm else self.random.choice(WAYS)))
        self.say(f"answer to {request.step}: {reply.type_name}")
        self.post("orchestrator", (reply,))

    def somebody_decides(self) -> None:
        """One task, once or by two people who do not know of each other."""
        task = self.to_decide.pop(self.random.randrange(len(self.to_decide)))
        for _ in range(1 if self.calm or self.random.random() < 0.7 else 2):
            well = self.calm or self.random.random() < 0.8
            self.post("orchestrator", (decision(task, "approve" if well else "reject"),))

    def somebody_starts(self) -> None:
        options = StartOptions(
            hold=self.random.random() < 0.1,
            start_at=self.now + timedelta(hours=1) if self.random.random() < 0.1 else None,
            deadline=self.now + timedelta(days=20) if self.random.random() < 0.1 else None,
            priority=self.random.choice([0, 0, 5]),
            concurrency_key=self.random.choice([None, None, "shop"]),
            version=self.random.choice([None, None, 1, 1, 9]),
        )
        request = a_modernization(options=options).model_copy(update={"flow_id": self.new_id()})
        assert request.flow_id is not None
        self.flows.append(request.flow_id)
        self.proof.accepted.add(request.flow_id)
        self.post("orchestrator", (request,))
        if self.random.random() < 0.2:
            # Whoever asked did not hear that it had worked, and asks again.
            self.post("orchestrator", (request.model_copy(update={"id": uuid5(request.flow_id, "again")}),))
        if self.random.random() < 0.3:
            # The same, so late that the flow may have come and gone.
            late = request.model_copy(update={"id": uuid5(request.flow_id, "late")})
            self.post("orchestrator", (late,), seconds=self.random.choice([4_000, 400_000, 4_000_000]))

    def somebody_wants_something(self) -> None:
        flow_id = self.random.choice(self.flows)
        row = self.tables.flows.get(flow_id)
        if row is None:
            return
        if self.random.random() < 0.15:
            self.somebody_forks(flow_id)
            return
        legal = LEGAL_ACTIONS[row.status] if self.random.random() < 0.9 else tuple(ACTIONS)
        [action] = self.random.choices(legal, [ACTIONS[each] for each in legal])
        last, phase = self.tables.journal[flow_id][row.revision].state, None
        if self.random.random() < 0.5:
            current = last.active() if action == "skip" else [name for name, view in last.phases.items() if view.rounds]
            phase = self.random.choice(current or list(last.phases))
        self.ask(flow_id, action, phase)

    def ask(self, flow_id: UUID, action: str, phase: str | None = None) -> None:
        self.say(f"asked to {action} {phase or ''}")
        asked = FlowControlRequested(tenant=TENANT, flow_id=flow_id, action=action, phase=phase, requested_by="Ada")
        self.post("orchestrator", (asked,))

    def somebody_forks(self, flow_id: UUID) -> None:
        checkpoints = [seq for seq, each in self.tables.journal[flow_id].items() if each.entry.checkpoint]
        if not checkpoints or len(self.flows) > 8:
            return
        fork = FlowForkRequested(
            tenant=TENANT,
            flow_id=self.new_id(),
            origin_flow_id=flow_id,
            seq=self.random.choice(checkpoints),
            requested_by="Ada",
        )
        assert fork.flow_id is not None
        self.flows.append(fork.flow_id)
        self.post("orchestrator", (fork,))

    def somebody_helps(self) -> bool:
        """Flows that wait for a person's word get it; False if none does."""
        words = {"created": "start", "scheduled": "start", "paused": "resume"}
        waiting = {flow_id: words[row.status] for flow_id, row in self.tables.flows.items() if row.status in words}
        for flow_id, word in waiting.items():
            self.ask(flow_id, word)
        return bool(waiting)

    def new_id(self) -> UUID:
        self.numbers += 1
        return uuid5(UUID(int=self.seed), str(self.numbers))
