"""A server on loopback that answers with bytes of a test's choosing, as other people's servers do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class FarServer:
    """What it heard, and where it listens."""

    port: int = 0
    requests: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Its address over http."""
        return f"http://127.0.0.1:{self.port}"


Answering = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def answer(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """A response; underscores in names of headers become hyphens."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def far_server(
    answering: Answering | bytes, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[FarServer]:
    """Listen until the block ends. `answering` gets each request's text and writes what it likes."""
    far = FarServer()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far.connections += 1
        if task := asyncio.current_task():
            serving.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line[15:]) for line in head.lower().split("\r\n") if line[:15] == "content-length:"), 0)
            request = head + (await reader.readexactly(length)).decode()
            far.requests.append(request)
            if isinstance(answering, bytes):
                writer.write(answering)
                await writer.drain()
            else:
                await answering(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            far.requests.append("")
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    far.port = server.sockets[0].getsockname()[1]
    try:
        yield far
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
