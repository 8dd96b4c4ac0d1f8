"""Refusals are audited, but a flood of wrong keys does not flood the log."""

import time
from collections.abc import Callable

from starlette.requests import HTTPConnection

from contracts.api_keys import AccessRefused
from contracts.envelope import PLATFORM, Tenant
from services.chassis.errors import ExpectedFailure
from services.chassis.runtime import Runtime
from services.gateway.access.identity import Identity
from services.gateway.routes.access import emit

# Of one kind, which is a caller (all strangers are one), a route and a reason, so much is told.
ONE_IN_SECONDS = 60.0
MOST_KINDS = 10_000

Kind = tuple[str | None, str, str]


class Refusals:
    """Says which refusals are to be told, and counts those that are not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[Kind, tuple[float, int]] = {}

    def untold(self, kind: Kind) -> int | None:
        """How many of the kind went untold since the last that was told; None if this one goes untold, too."""
        now = self._clock()
        at, count = self._told.get(kind, (-ONE_IN_SECONDS, 0))
        if now - at < ONE_IN_SECONDS:
            self._told[kind] = at, count + 1
            return None
        if len(self._told) >= MOST_KINDS:
            # Those that went on keep their count.
            self._told = {each: (at, count) for each, (at, count) in self._told.items() if count}
        if len(self._told) >= MOST_KINDS:
            self._told.clear()
        self._told[kind] = now, 0
        return count


async def tell_refusal(request: HTTPConnection, failure: ExpectedFailure) -> None:
    """Let the audit log know that somebody was refused."""
    runtime: Runtime = request.app.state.runtime
    refusals: Refusals = request.app.state.refusals
    who: Identity | None = getattr(request.state, "identity", None)
    tenant: Tenant = getattr(request.state, "tenant", PLATFORM)
    route = request.scope["route"].name
    subject = None if who is None else who.subject
    repeated = refusals.untold((subject, route, failure.problem.code))
    if repeated is None:
        return
    async with runtime.database.transaction(tenant) as session:
        await emit(
            session,
            AccessRefused(
                tenant=tenant,
                subject=subject,
                name=None if who is None else who.name,
                # A WebSocket begins as a GET.
                method=request.scope.get("method", "GET"),
                route=route,
                status=failure.status,
                code=failure.problem.code,
                reason=failure.problem.detail,
                repeated=repeated,
            ),
        )
    runtime.committed()
