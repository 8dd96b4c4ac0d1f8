"""The session of whoever signed in with `modernize login`: kept in a file that only its owner reads."""

import fcntl
import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.rest_people import TokensView
from services.cli.terminal import CommandFailed, program

# An access token that ends so soon could end on its way.
MARGIN = timedelta(seconds=60)


class KeptSession(BaseModel):
    """A session at one gateway."""

    model_config = ConfigDict(frozen=True)

    email: str
    access_token: str
    access_ends_at: datetime
    refresh_token: str


class SessionFile:
    """Sessions by the address of their gateway."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "session.json"

    def read(self, url: str) -> KeptSession | None:
        """The session at a gateway, if there is one."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8")).get(url)
            return None if found is None else KeptSession.model_validate(found)
        except FileNotFoundError:
            return None
        except (ValueError, AttributeError, ValidationError) as error:
            raise CommandFailed(
                f"{self._path} is damaged. Delete it and sign in again.", code="bad_session_file"
            ) from error

    def write(self, url: str, session: KeptSession | None) -> None:
        """Keep a session, or forget it; the file appears whole or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        kept = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
        kept.pop(url, None)
        if session is not None:
            kept[url] = session.model_dump(mode="json")
        part = self._path.with_name(f".session.{os.getpid()}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(kept, indent=2))
        part.replace(self._path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time: a refresh token that two send at once would end the session."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class SessionAuth(httpx2.Auth):
    """Sends the access token of the kept session, and gets the next one in time, also in a command that runs long."""

    def __init__(self, file: SessionFile, url: str) -> None:
        self._file = file
        self._url = url

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the token to a request, and another one where it is refused before its time."""
        token = self._access_token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        # A body that came in pieces is gone.
        if response.status_code == httpx2.codes.UNAUTHORIZED and isinstance(request.stream, httpx2.ByteStream):
            request.headers["Authorization"] = f"Bearer {self._access_token(refused=token)}"
            yield request

    def _access_token(self, refused: str | None = None) -> str:
        kept = self._file.read(self._url)
        if kept is not None and _is_good(kept, refused):
            return kept.access_token
        with self._file.locked():
            # Another command may have done it while this one waited.
            kept = self._file.read(self._url)
            if kept is None:
                raise session_over()
            if not _is_good(kept, refused):
                kept = self._refreshed(kept)
                self._file.write(self._url, kept)
        if kept is None:
            raise session_over()
        return kept.access_token

    def _refreshed(self, kept: KeptSession) -> KeptSession | None:
        content = json.dumps({"refresh_token": kept.refresh_token})
        with httpx2.Client(base_url=f"{self._url}/api/v1", timeout=30, trust_env=False) as http:
            answer = http.post("/auth/refresh", content=content, headers={"Content-Type": "application/json"})
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            return None
        answer.raise_for_status()
        return kept_session(kept.email, TokensView.model_validate_json(answer.content))


def _is_good(kept: KeptSession, refused: str | None) -> bool:
    return kept.access_token != refused and datetime.now(UTC) + MARGIN < kept.access_ends_at


def kept_session(email: str, tokens: TokensView) -> KeptSession:
    """What is kept of the tokens that signing in or refreshing gave."""
    if tokens.refresh_token is None:
        raise CommandFailed("The gateway kept the refresh token to itself.", code="no_refresh_token")
    return KeptSession(
        email=email,
        access_token=tokens.access_token,
        access_ends_at=datetime.now(UTC) + timedelta(seconds=tokens.expires_in),
        refresh_token=tokens.refresh_token,
    )


def session_over() -> CommandFailed:
    """What somebody is told whose session ended."""
    return CommandFailed(f"Your session is over. Sign in again with `{program()} login`.", code="session_over")
