"""What a definition is refused for when it is loaded, naming the place, and what is allowed."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskFailed, AgentTaskRequested
from contracts.collection import CollectionRequested
from services.flow_orchestrator.flow_type import END, Choice, FlowType, Parallel, Phase, Retry
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES, Catalogue, UnknownFlowType
from services.flow_orchestrator.graph import Branch, MalformedFlow
from tests.flow_orchestrator.shapes import DIAMOND, LINE, LOOP, NESTED, SHAPES, a_gate, child, decided, flow, task


def ways(*targets: str) -> Choice:
    """A choice of these targets."""
    return Choice(tuple((lambda state: False, target) for target in targets[:-1]), otherwise=targets[-1])


def split(*branches: str, join: str = "merge", name: str = "split", **more: object) -> Phase:
    return task(name, then=Parallel(branches, join=join), **more)


MALFORMED: dict[str, tuple[FlowType, str]] = {
    "no phases": (flow(), "phases: there is none"),
    "a name twice": (flow(task("one"), task("one")), "phase 'one': the name is used twice"),
    "a name that is the end": (flow(task("end")), "phase 'end': a name is snake_case"),
    "a name with a space": (flow(task("step one")), "phase 'step one': a name is snake_case"),
    "a name with a colon": (flow(task("step:1")), "phase 'step:1': a name is snake_case"),
    "nobody is asked": (flow(Phase(name="idle")), "phase 'idle': it asks nobody"),
    "no failure": (
        flow(Phase(name="one", asks=AgentTaskRequested, awaits=AgentTaskCompleted)),
        "phase 'one': `asks`, `awaits` and `fails_with` belong together",
    ),
    "an answer to no question": (
        flow(Phase(name="one", awaits=AgentTaskCompleted, fails_with=AgentTaskFailed, gate=a_gate("one"))),
        "phase 'one': `asks`, `awaits` and `fails_with` belong together",
    ),
    "no time": (flow(task("one", time_out=timedelta(0))), "phase 'one': its time-out"),
    "no attempt": (flow(task("one", retry=Retry(attempts=0))), "phase 'one': its time-out"),
    "waits that shrink": (flow(task("one", retry=Retry(factor=0.5))), "phase 'one': its waits must not shrink"),
    "jitter of all": (flow(task("one", retry=Retry(jitter=1))), "phase 'one': its waits must not shrink"),
    "a wait into the past": (
        flow(task("one", retry=Retry(first=timedelta(seconds=-1)))),
        "phase 'one': its waits must not shrink",
    ),
    "no round": (flow(task("one", max_rounds=0)), "phase 'one': max_rounds must be at least 1"),
    "exhausted without a bound": (flow(task("one", exhausted=END)), "phase 'one': `exhausted` needs `max_rounds`"),
    "a gate that expires at once": (
        flow(decided("one"), task("two", gate=a_gate("two", expires_after=timedelta(0)))),
        "phase 'two': its gate must expire",
    ),
    "a reminder at once": (
        flow(task("two", gate=a_gate("two", remind_after=timedelta(0)))),
        "phase 'two': its gate must expire, and remind",
    ),
    "a child that cannot tell": (
        flow(replace(child("one"), asks=CollectionRequested)),
        "phase 'one': the flow that it begins could not tell its end",
    ),
    "an unknown target": (flow(task("one", then="two")), "phase 'one': it leads to 'two', which is no phase"),
    "an unknown route": (flow(task("one", then=ways("two", END))), "phase 'one': it leads to 'two', which is no phase"),
    "an unknown way out": (
        flow(task("one", max_rounds=1, exhausted="two")),
        "phase 'one': it leads to 'two', which is no phase",
    ),
    "an unknown branch": (
        flow(split("a", "b"), task("a", then="merge"), task("merge")),
        "phase 'split': it leads to 'b', which is no phase",
    ),
    "an unknown join": (
        flow(split("a", "b", join="both"), task("a", then=END), task("b", then=END)),
        "phase 'split': its join 'both' is no phase",
    ),
    "a phase nobody comes to": (flow(task("one", then=END), task("two")), "phase 'two': no way leads to it"),
    "a join nobody comes to": (
        flow(split("a", "b"), task("a", then=END), task("b", then=END), task("merge")),
        "phase 'merge': no way leads to it",
    ),
    "no end": (
        flow(task("one"), task("two", then="one", max_rounds=2)),
        "phase 'one': no way leads from it to the end",
    ),
    "a loop": (flow(task("one", then=ways("one", END))), "loop one → one: it has no bound"),
    "a longer loop": (
        flow(task("one"), task("two"), task("three", then=ways("two", END))),
        "loop two → three → two: it has no bound",
    ),
    "a loop once the bound is reached": (
        flow(task("one", max_rounds=3, exhausted="mend", then=ways("mend", END)), task("mend", then="one")),
        "loop one → mend → one: it has no bound",
    ),
    "two bounds that lead to each other": (
        flow(
            task("one", max_rounds=1, exhausted="two", then=ways("two", END)),
            task("two", max_rounds=1, exhausted="one", then="one"),
        ),
        "loop one → two → one: it has no bound",
    ),
    "a way out to itself": (flow(task("one", max_rounds=1, exhausted="one")), "loop one → one: it has no bound"),
    "one branch": (flow(split("a"), task("a"), task("merge")), "join 'merge' of phase 'split': it needs at least two"),
    "a branch twice": (
        flow(split("a", "a"), task("a"), task("merge")),
        "join 'merge' of phase 'split': it needs at least two",
    ),
    "a branch that ends": (
        flow(split("a", "b"), task("a", then=ways("merge", END)), task("b", then="merge"), task("merge")),
        "join 'merge' of phase 'split': it can never complete: the branch 'a' may end at 'a'",
    ),
    "a branch that ends later": (
        flow(
            split("a", "b"),
            task("a"),
            task("a_end", max_rounds=2, exhausted=END, then="merge"),
            task("b", then="merge"),
            task("merge"),
        ),
        "the branch 'a' may end at 'a_end'",
    ),
    "a branch that leads back": (
        flow(split("a", "b", max_rounds=2), task("a", then=ways("merge", "split")), task("b"), task("merge")),
        "join 'merge' of phase 'split': the branch 'a' leads back to where it began",
    ),
    "a branch that is the join": (
        flow(split("a", "merge"), task("a", then="merge"), task("merge")),
        "join 'merge' of phase 'split': the branch 'merge' leads back",
    ),
    "two branches that meet before the join": (
        flow(split("a", "b"), task("a", then="c"), task("b"), task("c"), task("merge")),
        "join 'merge' of phase 'split': 'c' is part of two branches, 'a' and 'b'",
    ),
    "an intruder into a branch": (
        flow(
            task("look", then=ways("split", "a")),
            split("a", "b"),
            task("a", then="merge"),
            task("b", then="merge"),
            task("merge"),
        ),
        "join 'merge' of phase 'split': 'look' leads to 'a' from outside its branches",
    ),
    "an intruder at the join": (
        flow(
            task("look", then=ways("split", "merge")),
            split("a", "b"),
            task("a", then="merge"),
            task("b", then="merge"),
            task("merge"),
        ),
        "join 'merge' of phase 'split': 'look' leads to 'merge' from outside its branches",
    ),
    "a loop into one branch": (
        flow(
            split("a", "b"),
            task("a", then="merge", max_rounds=2),
            task("b", then="merge"),
            task("merge", then=ways("a", END)),
        ),
        "'merge' leads to 'a' from outside its branches",
    ),
    "two parallels with one join": (
        flow(
            split("a", "b"),
            split("c", "d", name="a"),
            task("b", then="merge"),
            task("c", then="merge"),
            task("d", then="merge"),
            task("merge"),
        ),
        "leads to 'merge' from outside its branches",
    ),
    "a way out into one branch": (
        flow(
            split("a", "b", max_rounds=2, exhausted="a"),
            task("a", then="merge"),
            task("b", then="merge"),
            task("merge"),
        ),
        "join 'merge' of phase 'split': its `exhausted` leads to 'a', into one branch alone",
    ),
    "a beginning in a branch": (
        flow(
            task("a", then="merge"),
            task("merge", then=ways("split", END)),
            split("a", "b", max_rounds=2),
            task("b", then="merge"),
        ),
        "join 'merge' of phase 'split': the flow begins inside its branch 'a'",
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_flow_is_refused_when_it_is_loaded(what: str) -> None:
    flow_type, problem = MALFORMED[what]
    with pytest.raises(MalformedFlow, match=re.escape(problem)) as refused:
        Catalogue(flow_type)
    assert str(refused.value).startswith("flow type shape (version 1), ")


@pytest.mark.parametrize("name", SHAPES)
def test_a_sound_flow_is_taken(name: str) -> None:
    SHAPES[name].check()


def test_a_bounded_phase_breaks_every_loop_through_it() -> None:
    flow(
        task("one", max_rounds=3, exhausted="give_up", then=ways("two", END)),
        task("two", then=ways("one", "two_b")),
        task("two_b", then="one"),
        decided("give_up", then=END),
    ).check()


def test_a_bounded_fork_may_give_up_at_its_join() -> None:
    flow(
        split("a", "b", max_rounds=2, exhausted="merge"),
        task("a", then="merge"),
        task("b", then="merge"),
        task("merge"),
    ).check()


def test_a_loop_inside_a_branch_is_fine() -> None:
    flow(
        split("a", "b"),
        task("a", max_rounds=3, exhausted="merge", then=ways("merge", "mend")),
        task("mend", then="a"),
        task("b", then="merge"),
        task("merge"),
    ).check()


def test_the_branch_of_a_phase_is_the_innermost() -> None:
    graph = NESTED.graph
    assert graph.branch_of("deep_one") == Branch("deep_one", "deep_end")
    assert graph.branch_of("deep_end") == graph.branch_of("deep") == Branch("deep", "merge")
    assert graph.branch_of("plain") == Branch("plain", "merge")
    assert graph.branch_of("split") is graph.branch_of("merge") is None
    assert graph.width == {"merge": 3, "deep_end": 2}


def test_phases_of_different_branches_run_at_once() -> None:
    graph = NESTED.graph
    for one, other in [("deep_one", "deep_two"), ("deep_one", "plain"), ("deep_end", "asked"), ("deep", "plain")]:
        assert graph.concurrent(one, other)
        assert graph.concurrent(other, one)
    for one, other in [("deep_one", "deep_end"), ("split", "deep"), ("merge", "plain"), ("deep", "deep_two")]:
        assert not graph.concurrent(one, other)
        assert not graph.concurrent(other, one)
    assert not graph.concurrent("plain", "plain")


def test_downstream_stops_where_a_loop_leads_back() -> None:
    assert LOOP.graph.downstream("check") == {"mend", "review", "publish"}
    assert LOOP.graph.downstream("mend") == set()
    assert DIAMOND.graph.downstream("left") == {"left_end", "merge"}
    assert SHAPES["looped_diamond"].graph.downstream("tests") == {"verdict"}
    assert SHAPES["looped_diamond"].graph.downstream("change") == {"tests", "review", "verdict", "look"}


def test_the_catalogue_keeps_every_version_and_starts_the_newest() -> None:
    second = replace(LINE, version=2)
    catalogue = Catalogue(second, LINE)

    assert catalogue.get("shape") is catalogue.started_by(LINE.requested) is second
    assert catalogue.get("shape", 1) is LINE
    assert catalogue.all() == [second, LINE]
    with pytest.raises(UnknownFlowType, match="there is no flow type shape 3; there are shape 1, shape 2"):
        catalogue.get("shape", 3)
    with pytest.raises(UnknownFlowType, match="there is no flow type form"):
        catalogue.get("form")


def test_a_version_is_defined_once() -> None:
    with pytest.raises(ValueError, match="two definitions of version 1"):
        Catalogue(LINE, replace(LINE, phases=DIAMOND.phases))


def test_every_flow_type_of_the_platform_is_in_the_catalogue() -> None:
    assert {each.name for each in FLOW_TYPES.all()} == {
        "collection",
        "discovery",
        "assessment",
        "planning",
        "modernization",
    }
