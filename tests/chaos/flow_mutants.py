"""Mutants of flows and long work: steps, journal, decisions, time-outs, leases and fences."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.chaos.seeding import Bite, mutant, patch


@mutant
def finishes_without_the_fence(bite: Bite) -> None:
    """The result of a worker whose lease is another's does not count."""

    def no_check(original: Any) -> Any:
        async def whatever(*_arguments: Any) -> None:
            bite()

        return whatever

    # The heartbeat often sees it in time; the fence is for when it does not.
    def extend(original: Any) -> Any:
        async def sees_nothing(_leases: Any, claims: Any) -> Any:
            return dict.fromkeys(claims, False)

        return sees_nothing

    patch("services.chassis.leases", "Leases.extend", extend)
    patch("services.chassis.leases", "Leases.hold", no_check)
    patch("services.chassis.leases", "Leases.end", _ending_whatever_the_fence)


def _ending_whatever_the_fence(original: Any) -> Any:
    async def end(leases: Any, session: AsyncSession, claim: Any) -> None:
        statement = text(f"delete from {leases._work.fullname} where event_id = :event_id")
        await session.execute(statement, {"event_id": claim.event_id})

    return end


@mutant
def never_renews_its_lease(bite: Bite) -> None:
    """Work that takes longer than a lease keeps it by its heartbeat."""

    def extend(original: Any) -> Any:
        async def all_is_well(_leases: Any, claims: Any) -> Any:
            bite()
            return dict.fromkeys(claims, False)

        return all_is_well

    patch("services.chassis.leases", "Leases.extend", extend)


@mutant
def leases_for_ever(bite: Bite) -> None:
    """The work of a process that died is taken over when its lease ends."""

    def init(original: Any) -> Any:
        def for_ever(leases: Any, *arguments: Any) -> None:
            original(leases, *arguments)
            leases.seconds = 1e6
            bite()

        return for_ever

    patch("services.chassis.leases", "Leases.__init__", init)


@mutant
def accepts_stale_steps(bite: Bite) -> None:
    """Only an answer to a phase's present attempt moves its flow."""

    def answered(original: Any) -> Any:
        def any_attempt(state: Any, event: Any) -> str | None:
            name = (event.step or "").rpartition(":")[0]
            view = state.phases.get(name)
            if view is None or view.status != "running":
                return None
            if event.step != state.step(name):
                bite()
            return str(name)

        return any_attempt

    patch("services.flow_orchestrator.engine", "_answered", answered)


@mutant
def writes_revisions_twice(bite: Bite) -> None:
    """Of two orchestrators that take the same decision one loses, by the journal's primary key."""

    def write(original: Any) -> Any:
        async def both(*arguments: Any) -> None:
            bite()
            await original(*arguments)
            await original(*arguments)

        return both

    patch("services.flow_orchestrator.store", "_write", write)


@mutant
def lets_everybody_decide(bite: Bite) -> None:
    """The first decision on a task wins, and a later one is told so."""

    def check(original: Any) -> Any:
        def open_for_ever(status: str, *_rest: Any) -> None:
            if status != "pending":
                bite()

        return open_for_ever

    patch("services.gateway.routes.approvals", "check_open", check)


@mutant
def acts_twice_on_a_time_out(bite: Bite) -> None:
    """A time-out asks for a phase once more, not twice."""

    def ask(original: Any) -> Any:
        def again_and_again(turn: Any, name: str) -> None:
            original(turn, name)
            if turn.cause is None:
                bite()
                original(turn, name)

        return again_and_again

    patch("services.flow_orchestrator.turn", "Turn.ask", ask)
