"""`Idempotency-Key`: a creating request that is sent again has the same answer, and no second effect.

As draft-ietf-httpapi-idempotency-key-header-07 has it. The answer is a row of the transaction that has the effect, so
a crash leaves both or neither; a lock of that transaction marks a request in flight, and ends with it however it ends.
What was refused had no effect and is not kept: sent again, it is looked at again.
"""

import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.chassis.errors import BadRequest, ExpectedFailure
from services.chassis.runtime import Runtime
from services.chassis.tenancy import enter
from services.gateway.handlers import service
from services.gateway.idempotency_tables import ANSWER, KeptAnswer
from services.gateway.principal import Caller, Principal
from services.gateway.problems import TryLater
from services.gateway.routes.access import Gateway

V = TypeVar("V", bound=BaseModel)

KEPT = timedelta(hours=24)
SWEEP_SECONDS = 3600.0
_PURPOSE = ANSWER.purpose
# An sf-string with its quotes, or, as most clients send it, without them.
_KEY = re.compile(r'"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=257,
        description="A name that you choose for this request, such as a UUID. Sent again within 24 h with the same "
        "body it has the same answer, with `Idempotency-Replayed: true`, and no second effect. With another body: 422; "
        "while the first is in flight: 409 with `Retry-After`. Refusals are not kept",
        examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
    ),
]


class InFlight(TryLater):
    """The same request is being answered."""

    status = 409


class Replayed(Exception):
    """The request was answered before: raised so that its transaction is rolled back."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__("answered before")
        self.response = Response(body, status, {**headers, "Idempotency-Replayed": "true"}, "application/json")


class Once:
    """One creating request: `async with once.transaction() as session: …; view = once.keep(view)`."""

    def __init__(self, request: Request, gateway: Runtime, caller: Principal, key: str | None) -> None:
        self._request = request
        self._gateway = gateway
        self._caller = caller
        self._key = None if key is None else _checked(key)
        self._body_digest: str | None = None
        self._answer: tuple[str, dict[str, str]] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A transaction in the caller's tenant; raises `Replayed` or `InFlight`, or `ExpectedFailure` for a key that
        was used for something else.
        """
        async with self._gateway.database.transaction(self._caller.tenant) as session:
            if self._key is not None:
                await self._begin(session)
            yield session
            if self._answer is None:
                raise RuntimeError(f"{self._request.url.path}: the answer was not kept")
            if self._key is not None:
                await self._finish(session)
        self._gateway.committed()

    def keep(self, view: V, location: str | None = None) -> V:
        """Say, within the transaction, what the answer will be."""
        headers = {} if location is None else {"Location": location}
        self._answer = view.model_dump_json(), headers
        return view

    async def compare_upload(self, chunks: AsyncIterable[bytes]) -> None:
        """Call before a body is streamed to storage: of one that was answered before the body is only compared."""
        if self._key is None:
            return
        async with self._gateway.database.transaction(self._caller.tenant) as session:
            kept = await self._kept(session)
        if kept is not None:
            digest, size = hashlib.sha256(), 0
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                if size > self._gateway.settings.upload_limit_bytes:
                    break
            self.body_is(digest.hexdigest())
            await self._replay(kept)

    def body_is(self, digest: str) -> None:
        """The SHA-256, in hex, of a body that was streamed."""
        self._body_digest = digest

    async def _begin(self, session: AsyncSession) -> None:
        place = (*self._caller.tenant.model_dump(mode="json").values(), self._caller.subject, self._key)
        if not await session.scalar(_LOCK, {"name": "\n".join(map(str, place))}):
            raise InFlight(
                "request_in_flight",
                "A request with this Idempotency-Key is being answered. Send it again in a second.",
                seconds=1,
            )
        kept = await self._kept(session)
        if kept is not None:
            await self._replay(kept)

    async def _finish(self, session: AsyncSession) -> None:
        assert self._answer is not None
        body, headers = self._answer
        # Routes may have entered another tenant.
        await enter(session, self._caller.tenant)
        sealed = self._gateway.vault.seal(self._caller.tenant, _PURPOSE, self._context, body.encode())
        row: dict[str, Any] = {
            "subject": self._caller.subject,
            "key": self._key,
            "fingerprint": await self._fingerprint(),
            "status": self._request.scope["route"].status_code or 200,
            "headers": headers,
            "answer": sealed,
        }
        await session.execute(delete(KeptAnswer).where(*self._own()))
        await session.execute(insert(KeptAnswer).values(row))

    async def _kept(self, session: AsyncSession) -> KeptAnswer | None:
        fresh = KeptAnswer.kept_at > datetime.now(UTC) - KEPT
        kept: KeptAnswer | None = await session.scalar(select(KeptAnswer).where(*self._own(), fresh))
        return kept

    async def _replay(self, kept: KeptAnswer) -> None:
        if kept.fingerprint != await self._fingerprint():
            raise ExpectedFailure(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request within 24 hours. Nothing was done. "
                "Choose a new key for a new request.",
            )
        opened = self._gateway.vault.open(self._caller.tenant, _PURPOSE, self._context, kept.answer)
        raise Replayed(kept.status, kept.headers, opened)

    async def _fingerprint(self) -> str:
        digest = self._body_digest or hashlib.sha256(await self._request.body()).hexdigest()
        url = self._request.url
        return hashlib.sha256(f"{self._request.method}\n{url.path}?{url.query}\n{digest}".encode()).hexdigest()

    def _own(self) -> tuple[Any, ...]:
        return KeptAnswer.subject == self._caller.subject, KeptAnswer.key == self._key

    @property
    def _context(self) -> str:
        return f"{self._caller.subject} {self._key}"


async def once(request: Request, caller: Caller, gateway: Gateway, key: IdempotencyKey = None) -> Once:
    """What a creating route needs beside its caller."""
    return Once(request, gateway, caller, key)


Creating = Annotated[Once, Depends(once)]


def install_replays(app: FastAPI) -> None:
    """Let `app` give answers again."""

    @app.exception_handler(Replayed)
    async def replayed(request: Request, answer: Replayed) -> Response:
        return answer.response


@service.every(SWEEP_SECONDS)
async def forget_answers(runtime: Runtime) -> None:
    """Remove answers that are not replayed any more."""
    async with runtime.database.dispatch() as connection:
        await connection.execute(delete(KeptAnswer).where(KeptAnswer.kept_at < datetime.now(UTC) - KEPT))


def _checked(key: str) -> str:
    found = _KEY.fullmatch(key)
    if found is None:
        raise BadRequest(
            "bad_idempotency_key", "An Idempotency-Key has 1 to 255 visible ASCII characters; a UUID is a good one."
        )
    return found[1] or found[2]
