"""What a peer's process and the benchmark say to each other: a JSON object a line on its standard streams.

Standard library only: it runs in the peers' environment, where nothing of the platform is installed.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

STEPS = 6


@dataclass(frozen=True)
class Setup:
    """What a peer may use. `concurrency` is each peer's own notion of it; `folder` is empty and its own."""

    postgres: str
    rabbitmq: str
    folder: str
    concurrency: int


@dataclass(frozen=True)
class Order:
    """Run so many flows of six steps that wait so long each; all at once, or one after the other."""

    flows: int
    wait_seconds: float = 0.0
    one_at_a_time: bool = False


# Starts this many flows at once and returns when the last has ended with the right result.
Run = Callable[[int, float], None]
Engine = Callable[[Setup], AbstractContextManager[Run]]


def to_line(message: Setup | Order) -> str:
    """The line that says it."""
    return f"{json.dumps(asdict(message))}\n"


def check(results: list[int]) -> None:
    """Every step of a flow adds one; raises `RuntimeError` for a flow that did not take all of them."""
    wrong = [result for result in results if result != STEPS]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(results)} flows ended with {wrong[0]} instead of {STEPS} steps")


def serve(engine: Engine) -> None:
    """Start the engine, answer `{"ready": true}`, and then each order with the seconds it took, until the end."""
    # Libraries write to standard output as they like: the conversation keeps the pipe, they get standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    with engine(Setup(**json.loads(sys.argv[1]))) as run:
        print(json.dumps({"ready": True}), file=answers)
        for line in sys.stdin:
            print(json.dumps({"seconds": _carry_out(Order(**json.loads(line)), run)}), file=answers)


def _carry_out(order: Order, run: Run) -> list[float]:
    sizes = [1] * order.flows if order.one_at_a_time else [order.flows]
    seconds = []
    for size in sizes:
        start = time.perf_counter()
        run(size, order.wait_seconds)
        seconds.append(time.perf_counter() - start)
    return seconds
