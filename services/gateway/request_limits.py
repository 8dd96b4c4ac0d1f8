"""How many requests a caller and its tenant may send, and how an answer tells of it."""

import math
from collections.abc import Iterable

from starlette.requests import HTTPConnection
from starlette.types import Message, Scope, Send

from contracts.configuration import (
    CALLER_REQUEST_BURST,
    CALLER_REQUESTS_PER_MINUTE,
    TENANT_REQUEST_BURST,
    TENANT_REQUESTS_PER_MINUTE,
)
from contracts.envelope import Tenant
from services.chassis.rate_limits import Limit, Standing
from services.chassis.runtime import Runtime
from services.gateway.problems import TryLater


class TooManyRequests(TryLater):
    """A limit is reached; it says when the next request may come."""

    status = 429


async def caller_limit(runtime: Runtime, home: Tenant, subject: str) -> Limit:
    """What one person or key may send, as it is configured where it is at home."""
    value = runtime.configuration.value
    rate, burst = await value(home, CALLER_REQUESTS_PER_MINUTE), await value(home, CALLER_REQUEST_BURST)
    return Limit("caller", subject, rate, burst)


async def tenant_limit(runtime: Runtime, tenant: Tenant) -> Limit:
    """What all callers of an engagement may send together."""
    value = runtime.configuration.value
    rate, burst = await value(tenant, TENANT_REQUESTS_PER_MINUTE), await value(tenant, TENANT_REQUEST_BURST)
    return Limit("tenant", f"{tenant.client_account_id}:{tenant.engagement_id}", rate, burst)


def stranger_limit(address: str) -> Limit:
    """What may come from one address without a valid credential."""
    return Limit("stranger", address, per_minute=600, burst=1_000)


async def count(request: HTTPConnection, limit: Limit) -> None:
    """Count a request against a limit and remember how it stands; raises `TooManyRequests`."""
    runtime: Runtime = request.app.state.runtime
    standing = await runtime.rate_limits.take(limit)
    request.scope.setdefault("rate_limits", []).append(standing)
    if standing.exceeded:
        seconds = max(1, math.ceil(standing.retry_after))
        raise TooManyRequests(
            "too_many_requests",
            f"The limit of this {limit.name} is {limit.per_minute} requests a minute, {limit.burst} of them at once. "
            f"Nothing was done. Send the request again in {seconds} s.",
            seconds=seconds,
        )


def sending_standings(scope: Scope, send: Send) -> Send:
    """`send`, but the answer's headers tell how the limits stand that were counted on the way to it."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start" and (standings := scope.get("rate_limits")):
            message = {**message, "headers": [*message["headers"], *headers(standings)]}
        await send(message)

    return send_with_headers


def headers(standings: Iterable[Standing]) -> list[tuple[bytes, bytes]]:
    """`RateLimit` and `RateLimit-Policy` as draft-ietf-httpapi-ratelimit-headers-10 has them.

    The quota is the burst and its window the time in which it fills again, so what is announced as remaining can be
    sent at once.
    """
    policies, states = [], []
    for each in standings:
        window = math.ceil(60 * each.limit.burst / each.limit.per_minute)
        policies.append(f'"{each.limit.name}";q={each.limit.burst};w={window}')
        remaining = 0 if each.exceeded else each.remaining
        states.append(f'"{each.limit.name}";r={remaining};t={math.ceil(each.full_after)}')
    return [
        (b"ratelimit-policy", ", ".join(policies).encode("ascii")),
        (b"ratelimit", ", ".join(states).encode("ascii")),
    ]
