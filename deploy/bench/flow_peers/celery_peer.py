"""Celery: a chain of six tasks on a durable quorum queue of RabbitMQ, whose end is awaited over `rpc://`.

Guarantee: messages are persistent and publishing is confirmed, so a quorum queue has them on disk; a task is acked
after it has sent the next one (`task_acks_late`), so it runs again after a crash, and so may all that follows: at least
once, with no record of which steps a chain has done. The result is one message to the client that waits.

Settings: a process a core (prefork 2), which is its default and did best of 2, 4 and threads 2, 10 and 50: with a pool
of threads acks wait for the next delivery. Ten processes when tasks wait. The prefetch of four a process stays: 16 and
32 showed no clear difference. The five results that nobody reads are not sent; no gossip, no heartbeats.
"""

import importlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.bench.flow_peers.conversation import STEPS, Run, Setup, check, serve

FLOW_SECONDS = 3600
STOP_SECONDS = 30


@contextmanager
def engine(setup: Setup) -> Iterator[Run]:
    """A worker and its client, on a queue of their own that is deleted afterwards."""
    queue = f"bench-{uuid.uuid4()}"
    os.environ |= {"BENCH_RABBITMQ": setup.rabbitmq, "BENCH_QUEUE": queue}
    tasks = importlib.import_module("deploy.bench.flow_peers.celery_tasks")
    options = ["--pool=prefork", f"--concurrency={setup.concurrency}", "--loglevel=error"]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "-A", tasks.__name__, "worker", *options, *alone]

    def run(flows: int, wait_seconds: float) -> None:
        chain = tasks.step.s(0, wait_seconds).set(ignore_result=True)
        for _ in range(STEPS - 2):
            chain |= tasks.step.s(wait_seconds).set(ignore_result=True)
        chain |= tasks.step.s(wait_seconds)
        ends = [chain.apply_async() for _ in range(flows)]
        check([end.get(timeout=FLOW_SECONDS) for end in ends])

    worker = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield run
    finally:
        worker.terminate()
        try:
            worker.wait(STOP_SECONDS)
        finally:
            with tasks.app.connection_for_write() as connection:
                connection.default_channel.queue_delete(queue)
                connection.default_channel.exchange_delete(queue)


if __name__ == "__main__":
    serve(engine)
