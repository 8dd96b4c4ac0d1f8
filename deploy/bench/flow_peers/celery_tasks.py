"""The Celery application of `celery_peer`, as its worker and its client both load it."""

import os
import time

from celery import Celery  # type: ignore[import-not-found]

app = Celery("bench", broker=os.environ["BENCH_RABBITMQ"], backend="rpc://")
app.conf.update(
    task_default_queue=os.environ["BENCH_QUEUE"],
    task_default_queue_type="quorum",
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    result_persistent=True,
    worker_enable_remote_control=False,
)


def add_one(count: int, wait_seconds: float) -> int:
    """A durable step."""
    if wait_seconds:
        time.sleep(wait_seconds)
    return count + 1


step = app.task(name="step")(add_one)
