"""The graph of a flow type's phases: checked once, when the definition is loaded, and asked while flows run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from contracts.lifecycle import ChildFlowEnded
from services.flow_orchestrator.flow_type import END, Choice, FlowType, Parallel, Phase


class MalformedFlow(ValueError):
    """A flow type that could not work: the message names the flow, the phase and what to change."""


@dataclass(frozen=True)
class Branch:
    """One way of a `Parallel`: where it begins, and the join that waits for it."""

    start: str
    join: str


class Graph:
    """Which phase leads to which. Raises `MalformedFlow` for a graph in which a flow could get stuck or never end."""

    def __init__(self, flow_type: FlowType) -> None:
        self._flow_type = flow_type
        self._order = [phase.name for phase in flow_type.phases]
        self._check_phases()
        self._targets = {phase.name: self._targets_of(phase) for phase in flow_type.phases}
        self._check_targets()
        self._check_reach()
        self._check_loops()
        self._forward = self._without_loops()
        self._branches: dict[str, Branch] = {}
        # Of every phase the branches that it is part of: {join: where the branch begins}.
        self._inside: dict[str, dict[str, str]] = {name: {} for name in self._order}
        self.width = {
            phase.then.join: len(phase.then.branches) for phase in flow_type.phases if isinstance(phase.then, Parallel)
        }
        self._check_joins()

    def after(self, name: str) -> str:
        """The phase listed after this one, or `END`."""
        position = self._order.index(name) + 1
        return self._order[position] if position < len(self._order) else END

    def downstream(self, name: str) -> set[str]:
        """The phases that come after one; a loop that leads back counts as an end."""
        return _reached(self._forward, name)

    def branches_of(self, name: str) -> Mapping[str, str]:
        """Every branch that a phase is part of: {join: where the branch begins}."""
        return self._inside[name]

    def concurrent(self, one: str, other: str) -> bool:
        """Whether two phases are in different branches of a `Parallel`, so that both may run at once."""
        theirs = self._inside[other]
        return any(theirs.get(join, start) != start for join, start in self._inside[one].items())

    def branch_of(self, name: str) -> Branch | None:
        """The innermost branch that a phase is part of."""
        return self._branches.get(name)

    def _fail(self, place: str, problem: str) -> MalformedFlow:
        flow = self._flow_type
        return MalformedFlow(f"flow type {flow.name} (version {flow.version}), {place}: {problem}")

    def _targets_of(self, phase: Phase) -> list[str]:
        then = phase.then
        if isinstance(then, Choice):
            targets = [*(target for _, target in then.routes), then.otherwise]
        elif isinstance(then, Parallel):
            targets = list(then.branches)
        else:
            targets = [then if then is not None else self.after(phase.name)]
        return targets if phase.exhausted is None else [*targets, phase.exhausted]

    def _check_phases(self) -> None:
        if not self._order:
            raise self._fail("phases", "there is none; a flow needs at least one")
        for phase in self._flow_type.phases:
            if error := _wrong_with(phase):
                raise self._fail(f"phase {phase.name!r}", error)
            if self._order.count(phase.name) > 1:
                raise self._fail(f"phase {phase.name!r}", "the name is used twice")

    def _check_targets(self) -> None:
        for name, targets in self._targets.items():
            for target in targets:
                if target != END and target not in self._targets:
                    raise self._fail(f"phase {name!r}", f"it leads to {target!r}, which is no phase of this flow")
        for phase in self._flow_type.phases:
            if isinstance(phase.then, Parallel) and phase.then.join not in self._targets:
                raise self._fail(f"phase {phase.name!r}", f"its join {phase.then.join!r} is no phase of this flow")

    def _check_reach(self) -> None:
        first = self._order[0]
        reached = {first, *_reached(self._targets, first)}
        if lost := [name for name in self._order if name not in reached]:
            raise self._fail(f"phase {lost[0]!r}", "no way leads to it")
        for name in self._order:
            if not any(END in self._targets[each] for each in {name, *_reached(self._targets, name)}):
                raise self._fail(f"phase {name!r}", "no way leads from it to the end")

    def _check_loops(self) -> None:
        # What is left of the ways once every bound is reached; a loop among these goes on for ever.
        left = {
            phase.name: [target for target in self._targets[phase.name] if target != END]
            if phase.max_rounds is None
            else [target for target in (phase.exhausted,) if target not in (None, END)]
            for phase in self._flow_type.phases
        }
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            cycle = " → ".join(reversed(error.args[1]))
            raise self._fail(f"loop {cycle}", "it has no bound; give one of its phases max_rounds") from None

    def _without_loops(self) -> dict[str, list[str]]:
        """The targets of every phase without those that lead back to a phase on the way to it."""
        forward: dict[str, list[str]] = {name: [] for name in self._order}
        first = self._order[0]
        way, done = {first: iter(self._targets[first])}, {END}
        while way:
            name, targets = next(reversed(way.items()))
            target = next(targets, None)
            if target is None:
                done.add(name)
                del way[name]
            elif target not in way:
                forward[name].append(target)
                if target not in done:
                    way[target] = iter(self._targets[target])
        return forward

    def _check_joins(self) -> None:
        forks = [phase for phase in self._flow_type.phases if isinstance(phase.then, Parallel)]
        regions: list[tuple[set[str], Branch]] = []
        for fork in forks:
            assert isinstance(fork.then, Parallel)
            regions += self._regions_of(fork, fork.then)
        # The largest region first, so that a branch inside a branch is what its phases remember.
        for region, branch in sorted(regions, key=lambda each: -len(each[0])):
            for name in region:
                self._branches[name] = branch
                self._inside[name][branch.join] = branch.start

    def _regions_of(self, fork: Phase, parallel: Parallel) -> Iterator[tuple[set[str], Branch]]:
        place, join = f"join {parallel.join!r} of phase {fork.name!r}", parallel.join
        if len(set(parallel.branches)) != len(parallel.branches) or len(parallel.branches) < 2:
            raise self._fail(place, "it needs at least two branches, each of its own")
        inside: dict[str, str] = {}
        for start in parallel.branches:
            region = {start, *_reached(self._targets, start, join)}
            if fork.name in region or start == join:
                raise self._fail(place, f"the branch {start!r} leads back to where it began, not to the join")
            for name in sorted(region):
                if END in self._targets[name]:
                    raise self._fail(place, f"it can never complete: the branch {start!r} may end at {name!r}")
                if name in inside:
                    raise self._fail(place, f"{name!r} is part of two branches, {inside[name]!r} and {start!r}")
                inside[name] = start
            yield region, Branch(start, join)
        self._check_entries(fork, join, place, inside)

    def _check_entries(self, fork: Phase, join: str, place: str, inside: dict[str, str]) -> None:
        """Branches begin at their fork and nowhere else."""
        if self._order[0] in inside:
            raise self._fail(place, f"the flow begins inside its branch {inside[self._order[0]]!r}")
        if fork.exhausted in inside:
            raise self._fail(place, f"its `exhausted` leads to {fork.exhausted!r}, into one branch alone")
        for name, targets in self._targets.items():
            if name in inside or name == fork.name:
                continue
            if intruder := next((target for target in targets if target in inside or target == join), None):
                raise self._fail(place, f"{name!r} leads to {intruder!r} from outside its branches")


def _reached(targets: Mapping[str, list[str]], start: str, stop: str | None = None) -> set[str]:
    """Every phase that a way leads to; the start itself only where a loop leads back to it."""
    found: set[str] = set()
    pending = list(targets[start])
    while pending:
        name = pending.pop()
        if name not in found and name not in (END, stop):
            found.add(name)
            pending += targets[name]
    return found


def _wrong_with(phase: Phase) -> str | None:
    """What is wrong with a phase by itself."""
    if phase.name == END or not phase.name.isidentifier():
        return "a name is snake_case, and not 'end'"
    if phase.asks is None and phase.gate is None:
        return "it asks nobody for anything: it needs `asks` or `gate`"
    if (phase.asks is None) != (phase.awaits is None) or (phase.asks is None) != (phase.fails_with is None):
        return "`asks`, `awaits` and `fails_with` belong together"
    if phase.awaits is ChildFlowEnded and "parent_flow_id" not in getattr(phase.asks, "model_fields", {}):
        return "the flow that it begins could not tell its end: what it asks with has no `parent_flow_id`"
    if phase.time_out <= timedelta(0) or phase.retry.attempts < 1:
        return "its time-out must be longer than nothing, and its attempts at least one"
    if phase.retry.factor < 1 or not 0 <= phase.retry.jitter < 1 or phase.retry.first < timedelta(0):
        return "its waits must not shrink: factor at least 1, jitter from 0 to less than 1, first not negative"
    if phase.max_rounds is not None and phase.max_rounds < 1:
        return "max_rounds must be at least 1"
    if phase.exhausted is not None and phase.max_rounds is None:
        return "`exhausted` needs `max_rounds`"
    gate = phase.gate
    times = [] if gate is None else [gate.expires_after, gate.remind_after]
    if any(each is not None and each <= timedelta(0) for each in times):
        return "its gate must expire, and remind, after some time"
    return None
