"""The Restate service of `restate_peer`, as hypercorn serves it."""

import asyncio

import restate  # type: ignore[import-not-found]

from deploy.bench.flow_peers.conversation import STEPS

service = restate.Service("Flow")


async def step(count: int, wait_seconds: float) -> int:
    """A durable step."""
    if wait_seconds:
        await asyncio.sleep(wait_seconds)
    return count + 1


async def run(context: restate.Context, wait_seconds: float) -> int:
    """Six of them."""
    count = 0
    for number in range(STEPS):
        count = await context.run_typed(f"step_{number}", step, count=count, wait_seconds=wait_seconds)
    return count


service.handler()(run)
app = restate.app([service])
