"""Flow types made up at random, every one sound: of choices, parallels, loops, gates and children."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from services.flow_orchestrator.flow_type import END, Choice, FlowType, Parallel, Phase, Retry
from services.flow_orchestrator.state import FlowState
from tests.flow_orchestrator.shapes import BUSY, a_gate, child, decided, flow, says, task

# What an agent task may put out: which way a choice goes, and whether a loop is done.
WAYS = ({"passed": True}, {"way_0": True}, {"way_1": True}, {"odd": True})


def a_flow(random: Random, size: int = 6) -> FlowType:
    """A sound flow type of about so many phases; version 2, which takes flows of version 1 as they are."""
    built = _Built(random, size)
    built.sequence(END, depth=0, first=True)
    return flow(*built.phases, version=2, migrations={1: _as_it_is})


def older(flow_type: FlowType) -> FlowType:
    """The version before."""
    return replace(flow_type, version=1, migrations={})


def _as_it_is(state: FlowState) -> FlowState:
    return state


class _Built:
    """The phases so far; each part is told where it leads and says where it begins."""

    def __init__(self, random: Random, size: int) -> None:
        self.random = random
        self.left = size
        self.phases: list[Phase] = []

    def sequence(self, then: str, depth: int, first: bool = False) -> str:
        """One to three parts after another, built from the last to the first; where they begin."""
        for _ in range(self.random.randint(1, 3)):
            then = self._part(then, depth)
        if first:
            then = self._work(then)
            # The flow begins at the phase that is listed first.
            self.phases.insert(0, self.phases.pop())
        return then

    def _part(self, then: str, depth: int) -> str:
        kinds = [self._work, self._work, self._decision, self._child]
        if depth < 2 and self.left > 2:
            kinds += [
                lambda then: self._choice(then, depth),
                lambda then: self._parallel(then, depth),
                lambda then: self._loop(then, depth),
            ] * 2
        return self.random.choice(kinds)(then)

    def _add(self, phase: Phase) -> str:
        self.left -= 1
        self.phases.append(phase)
        return phase.name

    def _name(self, kind: str) -> str:
        return f"{kind}_{len(self.phases)}"

    def _work(self, then: str, **more: Any) -> str:
        name = self._name("work")
        gate = a_gate(name) if self.random.random() < 0.2 else None
        retry = Retry(attempts=self.random.randint(1, 3), first=timedelta(seconds=5), codes=frozenset({BUSY}))
        return self._add(task(name, gate=gate, retry=retry, optional=self.random.random() < 0.3, then=then, **more))

    def _decision(self, then: str) -> str:
        return self._add(decided(self._name("decision"), then=then, optional=self.random.random() < 0.3))

    def _child(self, then: str) -> str:
        return self._add(child(self._name("child"), then=then, time_out=timedelta(days=60)))

    def _choice(self, then: str, depth: int) -> str:
        one, other = (self.sequence(then, depth + 1) for _ in range(2))
        name = self._name("choice")
        return self._add(task(name, then=Choice(((says(name, "way_0"), one), (says(name, "way_1"), then)), other)))

    def _parallel(self, then: str, depth: int) -> str:
        join = self._work(then)
        branches = tuple(self.sequence(join, depth + 1) for _ in range(self.random.randint(2, 3)))
        return self._add(task(self._name("split"), then=Parallel(branches, join)))

    def _loop(self, then: str, depth: int) -> str:
        # The body leads to the check, which is built after it: its name must be known before.
        self.left -= 1
        check = f"check_{len(self.phases)}_{depth}"
        body = self.sequence(check, depth + 1)
        way_out = self.random.choice([None, then])
        routes = Choice(((says(check, "passed"), then),), otherwise=body)
        return self._add(task(check, max_rounds=self.random.randint(1, 3), exhausted=way_out, then=routes))
