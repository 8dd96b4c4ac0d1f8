"""What must hold in the simulation: at every commit, and when everything has settled."""

from collections import Counter
from uuid import UUID

from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalRequested, FlowUpdated
from contracts.lifecycle import ApprovalWithdrawn, FlowControlRefused, FlowControlRequested
from services.flow_orchestrator.engine import Decision
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.catalogue import Catalogue
from tests.flow_orchestrator.model import Tables, Transaction
from tests.flow_orchestrator.validity import check


class Proof:
    """Watches every commit."""

    def __init__(self, catalogue: Catalogue, tables: Tables, cap: int) -> None:
        self._catalogue = catalogue
        self._tables = tables
        self._cap = cap
        self._revisions: Counter[UUID] = Counter()
        self._causes: set[UUID] = set()
        self._asked: dict[tuple[UUID, str], int] = {}
        self._answered: set[tuple[UUID, str]] = set()
        self._open_tasks: set[UUID] = set()
        # Orders to cancel a child, by event, which nobody has carried out or refused yet.
        self._called_back: dict[UUID, UUID | None] = {}
        self._tasks: set[UUID] = set()
        self.known: dict[UUID, Event] = {}
        self.told: dict[UUID, set[int]] = {}
        self.accepted: set[UUID] = set()
        self.deleted: set[UUID] = set()

    def committed(self, transaction: Transaction) -> None:
        """Check what a transaction did."""
        self.known |= {event.id: event for event in transaction.heard}
        for decision in transaction.decisions:
            self._decided(decision)
        refused = {event.causation_id for event in transaction.events if isinstance(event, FlowControlRefused)}
        self._called_back = {key: child for key, child in self._called_back.items() if key not in refused}
        holders = Counter(row.concurrency_key for row in self._tables.flows.values() if row.holds_key)
        assert not holders or max(holders.values()) == 1, f"two flows hold one concurrency key: {holders}"
        running = sum(row.status == "running" for row in self._tables.flows.values())
        assert running <= self._cap, f"{running} flows run, the cap is {self._cap}"
        assert self.deleted.isdisjoint(self._tables.flows), "a deleted flow began again"

    def _decided(self, decision: Decision) -> None:
        state = decision.state
        flow_type = self._catalogue.get(state.flow_type, state.version)
        self._revisions[state.flow_id] += 1
        assert decision.entry.seq == state.revision == self._revisions[state.flow_id], "the journal has a gap"
        if decision.cause_id is not None:
            assert decision.cause_id not in self._causes, "an event was decided on twice"
            self._causes.add(decision.cause_id)
            self._called_back.pop(decision.cause_id, None)
            self._caused(flow_type, decision, self.known[decision.cause_id])
        for event in decision.events:
            self._sent(flow_type, state.flow_id, event)
        if decision.deleted:
            self.deleted.add(state.flow_id)
        else:
            check(flow_type, state)

    def _caused(self, flow_type: FlowType, decision: Decision, cause: Event) -> None:
        flow_id = decision.state.flow_id
        if isinstance(cause, ApprovalDecided):
            assert cause.task_id in self._open_tasks, "a task was decided that was not open"
            self._open_tasks.remove(cause.task_id)
        phase, _, attempt = (cause.step or "").partition(":")
        replies = {each for p in flow_type.phases if p.name == phase for each in (p.awaits, p.fails_with)}
        if type(cause) in replies and cause.flow_id == flow_id:
            assert (flow_id, cause.step) not in self._answered, f"{cause.step} counted twice"
            assert int(attempt) == self._asked.get((flow_id, phase)), f"{cause.step} counted, which is not current"
            self._answered.add((flow_id, str(cause.step)))

    def _sent(self, flow_type: FlowType, flow_id: UUID, event: Event) -> None:
        phase, _, attempt = (event.step or "").partition(":")
        asks = {each.asks for each in flow_type.phases if each.name == phase}
        if type(event) in asks:
            assert int(attempt) > self._asked.get((flow_id, phase), 0), f"{event.step} was asked for again"
            self._asked[flow_id, phase] = int(attempt)
        if isinstance(event, FlowControlRequested):
            self._called_back[event.id] = event.flow_id
        if isinstance(event, ApprovalRequested):
            assert event.task_id not in self._tasks - self._open_tasks, "a task was given again"
            self._tasks.add(event.task_id)
            self._open_tasks.add(event.task_id)
        if isinstance(event, ApprovalWithdrawn):
            assert event.task_id in self._open_tasks, "a task was withdrawn that was not open"
            self._open_tasks.remove(event.task_id)

    def settled(self) -> None:
        """Check what is left when everything was answered."""
        tables = self._tables
        assert not tables.outbox, f"the outbox still holds {len(tables.outbox)} events"
        assert not tables.locks
        missing = self.accepted - set(tables.flows) - self.deleted
        assert not missing, f"starts were accepted, but there are no flows: {missing}"
        orphans = set(self._called_back.values()) - self.deleted
        assert not orphans, f"children were called back and never heard of it: {orphans}"
        assert not self._open_tasks, "tasks are open of flows that have ended"
        for flow_id, row in tables.flows.items():
            assert row.status in ("completed", "failed", "cancelled"), f"a flow is still {row.status}: {row.state}"
            revisions = list(range(1, row.revision + 1))
            assert sorted(tables.journal[flow_id]) == revisions, "the journal is not dense"
            assert sorted(self.told.get(flow_id, ())) == revisions, "a decision was not told"
            last = tables.journal[flow_id][row.revision]
            assert (last.stored, last.entry.status) == (row.state, row.status)

    def hears(self, event: FlowUpdated) -> None:
        """What the read model is told."""
        assert event.flow_id is not None
        self.told.setdefault(event.flow_id, set()).add(event.revision)
