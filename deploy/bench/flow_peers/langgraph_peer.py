"""LangGraph: a graph of six nodes with `durability="sync"` and its Postgres checkpointer, in one event loop.

Guarantee: a checkpoint is committed after every node before the next one begins. Nothing goes on by itself after a
crash: whoever knows the thread's id has to invoke the graph again, which continues after the last checkpoint.

Settings: a checkpointer takes its lock for every operation, also on a connection pool, so that one alone uses one
connection at a time. There are therefore sixteen (best of 2, 4, 8 and 16), with the graph compiled for each, on one
pool of sixteen connections. Up to eight flows a checkpointer run at once, so that waiting in one is work in another.
The pool is set as the documentation asks (`autocommit`, `dict_row`); statements are prepared at their first use.
A second process brought nothing certain on two cores that Postgres needs as well.
"""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # type: ignore[import-not-found]
from langgraph.graph import END, START, StateGraph  # type: ignore[import-not-found]
from psycopg.rows import dict_row  # type: ignore[import-not-found]
from psycopg_pool import AsyncConnectionPool  # type: ignore[import-not-found]

from deploy.bench.flow_peers.conversation import STEPS, Run, Setup, check, serve

FLOWS_A_SAVER = 8


class State(TypedDict):
    """What is checkpointed after every node."""

    count: int
    wait_seconds: float


async def node(state: State) -> dict[str, int]:
    """A durable step."""
    if state["wait_seconds"]:
        await asyncio.sleep(state["wait_seconds"])
    return {"count": state["count"] + 1}


def line(saver: Any) -> Any:
    """Six nodes, one after the other."""
    builder = StateGraph(State)
    names = [f"step_{number}" for number in range(STEPS)]
    for name in names:
        builder.add_node(name, node)
    for first, second in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(first, second)
    return builder.compile(checkpointer=saver)


@contextmanager
def engine(setup: Setup) -> Iterator[Run]:
    """One event loop."""
    size = setup.concurrency
    settings = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0}
    graphs: list[Any] = []

    async def start() -> Any:
        pool = AsyncConnectionPool(setup.postgres, min_size=size, max_size=size, open=False, kwargs=settings)
        await pool.open(wait=True)
        savers = [AsyncPostgresSaver(pool) for _ in range(size)]
        await savers[0].setup()
        graphs.extend(map(line, savers))
        return pool

    async def load(flows: int, wait_seconds: float) -> list[int]:
        left = iter(range(flows))

        async def one_after_the_other(graph: Any) -> list[int]:
            results = []
            for _ in left:
                thread = {"configurable": {"thread_id": str(uuid.uuid4())}}
                state = {"count": 0, "wait_seconds": wait_seconds}
                results.append((await graph.ainvoke(state, thread, durability="sync"))["count"])
            return results

        done = await asyncio.gather(*(one_after_the_other(graph) for graph in graphs * FLOWS_A_SAVER))
        return [result for results in done for result in results]

    with asyncio.Runner() as runner:
        pool = runner.run(start())
        try:
            yield lambda flows, wait_seconds: check(runner.run(load(flows, wait_seconds)))
        finally:
            runner.run(pool.close())


if __name__ == "__main__":
    serve(engine)
