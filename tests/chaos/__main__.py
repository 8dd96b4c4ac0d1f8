"""The long dose: faults drawn from a seed, again and again until time is up, then every mutant; prints what held.

    python -m tests.chaos [--seconds 300] [--seed N] [--rounds N] [--no-mutants]

A round is drawn from its own seed. One that breaks a promise prints the command that repeats its plan; what processes
do between two faults is up to the machine, so a rare race may need `--rounds` of that seed.
"""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos import faults
from tests.chaos.child import declared
from tests.chaos.driver import Load
from tests.chaos.exposures import EXPOSURES, declare_queues, distributed, embedded, run_exposed
from tests.chaos.mutants import MUTANTS
from tests.chaos.nursery import a_nursery, visit
from tests.chaos.platform import Plan
from tests.chaos.postgres import CrashingPostgres, a_crashing_postgres
from tests.chaos.scenario import Outcome, Outside, run, settings_for
from tests.rabbitmq_node import PrivateNode, can_install, install, installed_server, new_shared_folder

# What a round may be, each equally often; those without a broker run all services in one process.
KINDS = ("kills", "kills embedded", "disturbed", "disturbed embedded", "zombies", "cuts", "database", "broker")
out = Console(soft_wrap=True)


@dataclass(frozen=True)
class Site:
    """What rounds run on."""

    postgres: CrashingPostgres
    node: PrivateNode
    nursery: Path
    folder: Path


def drawn(seed: int, site: Site) -> tuple[str, list[Plan], Load, Outside | None, bool]:
    """The round of a seed: its kind, its plans, its load, what strikes from outside, and whether order is kept."""
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    load = Load(
        flows=rng.randint(20, 80),
        tenants=rng.randint(1, 8),
        flaky=0.1,
        poison=0.01,
        pause_seconds=rng.choice((0, 0.02, 0.1)),
    )
    alone, apart = embedded(), distributed()
    made: dict[str, Callable[[], tuple[list[Plan], Outside | None, bool]]] = {
        "kills": lambda: (faults.killed_everywhere(apart, rng, furthest=rng.randint(5, 30)), None, True),
        "kills embedded": lambda: (faults.killed_everywhere(alone, rng, furthest=rng.randint(10, 60)), None, True),
        "disturbed": lambda: (faults.disturbed(apart), None, False),
        "disturbed embedded": lambda: (faults.disturbed(alone), None, False),
        "zombies": lambda: (faults.frozen(faults.two_of_each(), rng, rng.uniform(2, 5)), None, False),
        "cuts": lambda: (apart, faults.connections_cut(rng.randint(5, 15), rng.uniform(0.1, 0.6), seed), False),
        "database": lambda: (
            apart,
            faults.database_crashes(site.postgres, rng.randint(1, 3), rng.uniform(0.3, 2)),
            False,
        ),
        "broker": lambda: (apart, faults.broker_dies(site.node, 1, rng.uniform(0.5, 3)), False),
    }
    plans, outside, ordered = made[kind]()
    return kind, plans, load, outside, ordered


async def one_round(seed: int, site: Site) -> tuple[str, Outcome]:
    """Run the round of a seed."""
    kind, plans, load, outside, ordered = drawn(seed, site)
    folder = site.folder / f"seed-{seed}-{secrets.token_hex(3)}"
    folder.mkdir()
    async with site.postgres.database() as address, visit(site.nursery) as nursery:
        settings = settings_for(address, folder, None if "embedded" in kind else site.node.url)
        if settings.rabbitmq_url is not None:
            await declare_queues(settings)
        return kind, await run(nursery, settings, plans, load, seed=seed, outside=outside, ordered=ordered)


async def rounds(arguments: argparse.Namespace, site: Site) -> int:
    """Rounds until time is up or as many as asked for; returns how many broke a promise."""
    table = Table("seed", "kind", "flows", "events", "faults", "dead letters", "seconds", "outcome", title="Faults")
    until, failed, number = time.monotonic() + arguments.seconds, 0, 0
    while number < arguments.rounds if arguments.rounds else time.monotonic() < until:
        seed = arguments.seed if arguments.rounds else arguments.seed + number
        number += 1
        kind, outcome = await one_round(seed, site)
        failed += bool(outcome.violations)
        struck = outcome.struck.total() + outcome.outside.total()
        verdict = "[red]BROKEN" if outcome.violations else "[green]holds"
        figures = (outcome.flows.total(), outcome.events, struck, outcome.dead_letters, f"{outcome.seconds:.1f}")
        table.add_row(str(seed), kind, *map(str, figures), verdict)
        out.print(f"seed {seed}: {kind}: {outcome.summary()}: {'BROKEN' if outcome.violations else 'holds'}")
        for violation in outcome.violations:
            out.print(f"  [red]{violation}", markup=True, highlight=False)
        if outcome.violations:
            out.print(f"  repeat with: ./justw chaos --rounds 1 --seed {seed} --no-mutants")
    out.print(table)
    return failed


async def mutants(site: Site) -> int:
    """Every mutant once; returns how many survived."""
    table = Table(
        "mutant", "the promise it takes away", "seen by the check that", "seconds", title="The checks, checked"
    )
    survived = 0
    for name, mutant in MUTANTS.items():
        folder = site.folder / name
        folder.mkdir()
        async with site.postgres.database() as address, visit(site.nursery) as nursery:
            outcome = await run_exposed(name, nursery, address, folder, site.node.url)
        broken = list(dict.fromkeys(violation.promise for violation in outcome.violations))
        caught = outcome.bitten and bool(set(broken) & set(EXPOSURES[name].promises))
        survived += not caught
        seen = "\n".join(broken) if caught else "[red]SURVIVED" if outcome.bitten else "[red]ITS CODE NEVER RAN"
        table.add_row(name, mutant.promise, seen, f"{outcome.seconds:.1f}")
        out.print(f"{name}: {'caught' if caught else 'SURVIVED'} in {outcome.seconds:.1f} s")
    out.print(table)
    return survived


def main() -> int:
    """Run what was asked for; 1 if a promise was broken or a mutant survived."""
    parser = argparse.ArgumentParser(prog="chaos", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=300, help="how long to draw rounds (default: 300)")
    parser.add_argument("--seed", type=int, default=None, help="seed of the first round (default: drawn)")
    parser.add_argument("--rounds", type=int, default=None, help="run the seed's own round so many times instead")
    parser.add_argument("--no-mutants", action="store_true", help="leave the check of the checks out")
    arguments = parser.parse_args()
    arguments.seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    if installed_server() is None:
        if not can_install():
            parser.error("rabbitmq-server is not installed: its own node is killed and started again here")
        install()
    out.print(f"seed {arguments.seed}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modernize-chaos-")))
        broker = new_shared_folder()
        node = PrivateNode(broker / "node").start()
        stack.callback(broker.rmdir)
        stack.callback(node.stop)
        postgres = stack.enter_context(a_crashing_postgres(list(declared().values())))
        nursery = stack.enter_context(a_nursery(folder))
        site = Site(postgres, node, nursery, folder)
        failed = asyncio.run(rounds(arguments, site))
        survived = 0 if arguments.no_mutants else asyncio.run(mutants(site))
    out.print(f"{failed} rounds broke a promise, {survived} mutants survived")
    return 1 if failed or survived else 0


if __name__ == "__main__":
    sys.exit(main())
