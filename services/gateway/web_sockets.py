"""WebSockets are let in as requests are: by the same keys and tokens, in the same tenants, under the same limits.

Programs send the headers that they send with requests. Web pages cannot, so they offer subprotocols instead:
`modernize.v1`, `bearer.<access token>` and, where it is not their own, `tenant.<client account>.<engagement>`. No
cookie counts, so a foreign page has nothing to ride on; and no secret is in a URL, where logs would keep it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.security import HTTPAuthorizationCredentials
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from services.chassis.errors import ExpectedFailure, Forbidden, NoBusiness, Unauthorized
from services.gateway.access.refusals import tell_refusal
from services.gateway.principal import Principal, identity, named_tenant, principal
from services.gateway.problems import TryLater, problem_response

PROTOCOL = "modernize.v1"


async def caller_of(connection: HTTPConnection) -> Principal:
    """Who asks, in the tenant that is named; raises what a route would."""
    offered = dict(each.split(".", 1) for each in connection.scope.get("subprotocols", ()) if "." in each)
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    bearer = bearer if scheme.lower() == "bearer" else offered.get("bearer", "")
    client, _, engagement = offered.get("tenant", "").partition(".")
    who = await identity(
        connection,
        connection.headers.get("x-api-key"),
        HTTPAuthorizationCredentials(scheme="Bearer", credentials=bearer) if bearer else None,
    )
    named = await named_tenant(
        connection.headers.get("x-client-account-id", client), connection.headers.get("x-engagement-id", engagement)
    )
    return await principal(connection, who, named)


async def still_allowed(connection: HTTPConnection) -> bool:
    """Whether who began a stream or a socket may still have it."""
    try:
        await caller_of(connection)
    except (Unauthorized, Forbidden, NoBusiness):
        return False
    except TryLater:
        # Too many requests of others end nothing.
        return True
    return True


async def admitted(socket: WebSocket, check: Callable[[Principal], Awaitable[None]]) -> Principal | None:
    """Accept a socket whose caller may use it and for which `check` raises nothing; None once it was refused."""
    try:
        caller = await caller_of(socket)
        await check(caller)
    except ExpectedFailure as failure:
        if isinstance(failure, Unauthorized | Forbidden | NoBusiness):
            await tell_refusal(socket, failure)
        await socket.send_denial_response(problem_response(socket.url.path, failure))
        return None
    await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
    return caller


@contextlib.asynccontextmanager
async def until_closed(socket: WebSocket) -> AsyncIterator[None]:
    """Run the block until it ends or the client goes; what the client says is read and means nothing."""
    block = asyncio.current_task()
    assert block is not None

    ended = False

    async def listen() -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()
        if not ended:
            block.cancel()

    listening = asyncio.create_task(listen())
    try:
        yield
    except asyncio.CancelledError:
        # Only a client that went away is an ordinary end.
        if socket.client_state is not WebSocketState.DISCONNECTED:
            raise
        block.uncancel()
    except WebSocketDisconnect:
        pass
    finally:
        ended = True
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
