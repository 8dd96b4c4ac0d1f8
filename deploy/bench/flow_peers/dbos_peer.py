"""DBOS: a workflow of six steps in one executor, its system tables on the shared Postgres.

Guarantee: a step's output is committed before the next step begins, and the workflow's input before it starts, so a
workflow goes on after a crash with the first step that has no output; a step that was running runs again.

Settings: workflows are started with `start_workflow` and not over a queue, which its documentation keeps for flow
control and which polls. They are plain functions in threads: on two cores coroutines took as much CPU or more. Four and
ten threads did best of 2, 4, 8, 10, 20 and 100; steps that wait get 50. The connection pool stays at its 20. Two
executors on two cores were slower than one, each flow taking half as much CPU again. Nothing is logged or exported.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from dbos import DBOS, DBOSConfig  # type: ignore[import-not-found]

from deploy.bench.flow_peers.conversation import STEPS, Run, Setup, check, serve


def step(count: int, wait_seconds: float) -> int:
    """A durable step."""
    if wait_seconds:
        time.sleep(wait_seconds)
    return count + 1


@contextmanager
def engine(setup: Setup) -> Iterator[Run]:
    """One executor."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": setup.postgres,
        "max_executor_threads": setup.concurrency,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    durable_step = DBOS.step()(step)

    def flow(wait_seconds: float) -> int:
        count = 0
        for _ in range(STEPS):
            count = durable_step(count, wait_seconds)
        return count

    durable_flow = DBOS.workflow()(flow)

    def run(flows: int, wait_seconds: float) -> None:
        handles = [DBOS.start_workflow(durable_flow, wait_seconds) for _ in range(flows)]
        check([handle.get_result() for handle in handles])

    DBOS.launch()
    try:
        yield run
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    serve(engine)
