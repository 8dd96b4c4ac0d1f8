"""What signing in takes, one of each in a gateway process."""

from typing import Annotated

from fastapi import Depends, Request

from services.chassis.remembered import Remembered
from services.chassis.runtime import Runtime
from services.gateway.access.access_tokens import AccessTokens
from services.gateway.access.backoff import source_of
from services.gateway.access.oidc_client import OidcClient
from services.gateway.access.password_hashing import PasswordHashing
from services.gateway.access.sessions import Visitor
from services.gateway.request_limits import count, stranger_limit


class Entrance:
    """The running gateway, its access tokens, its hashing of passwords, and its way to OpenID providers."""

    def __init__(self, runtime: Runtime, tokens: AccessTokens, remembered: Remembered) -> None:
        self.runtime = runtime
        self.tokens = tokens
        self.remembered = remembered
        self.hashing = PasswordHashing()
        self.oidc = OidcClient(runtime)

    def committed(self) -> None:
        """To be called after a transaction that changed who may sign in, or ended sessions."""
        self.remembered.forget()
        self.runtime.committed()


async def entrance(request: Request) -> Entrance:
    """The entrance of this gateway."""
    found: Entrance = request.app.state.entrance
    return found


async def visitor(request: Request) -> Visitor:
    """From where a request comes."""
    host = request.client.host if request.client is not None else None
    return Visitor(source_of(host), request.headers.get("user-agent"))


async def counted(request: Request) -> None:
    """Count a request to what is open to everybody; raises `TooManyRequests`."""
    await count(request, stranger_limit((await visitor(request)).source))


Door = Annotated[Entrance, Depends(entrance)]
From = Annotated[Visitor, Depends(visitor)]
# Of a route that is open to everybody.
COUNTED = Depends(counted)
