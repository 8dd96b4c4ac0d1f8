"""An HTTP server inside a process that does more than serve: it starts and stops when told, and takes no signals."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from fastapi import FastAPI

from services.cli.terminal import CommandFailed

STOP_SECONDS = 5


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process, which has more to stop than this server."""
        yield


def reserve(host: str, port: int) -> socket.socket:
    """A socket bound to this address, not listening yet; raises `CommandFailed` if the port is not to be had."""
    # With the protocol named, asyncio turns off Nagle's algorithm: else an answer in two writes waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CommandFailed(
            f"Port {port} on {host} cannot be used: {error.strerror or error}. Stop what uses it, or choose another "
            "with MODERNIZE_PORT (0 takes a free one) and MODERNIZE_HOST.",
            code="port_not_available",
        ) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """The URL at which people on this machine reach the socket."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(  # nosec B104 # binds nothing
        host, f"[{host}]" if ":" in host else host
    )
    return f"http://{reachable}:{port}"


@contextlib.asynccontextmanager
async def serving(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """Serve `app` until the block ends; requests that are running then get a few seconds."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=STOP_SECONDS
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task
