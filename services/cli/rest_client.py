"""The REST client: streaming, typed by `contracts.rest`, and every refusal as a sentence with its trace id."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import to_jsonable_python
from rich.markup import escape

from contracts import rest
from contracts.envelope import PLATFORM
from services.chassis.settings import Settings
from services.cli.kept_session import SessionAuth, SessionFile
from services.cli.sending_again import AGAIN_AFTER_SECONDS, HEADER, IN_FLIGHT, key_for, opened
from services.cli.terminal import CommandFailed, err, wrong_usage

M = TypeVar("M", bound=BaseModel)

# Long enough for a gateway that is busy with a large upload's last part.
TIMEOUT = httpx2.Timeout(60, connect=5)
PAGE_ITEMS = 200
_UNREACHED = (httpx2.ConnectError, httpx2.ConnectTimeout)
# A longer `Retry-After` is told instead of waited for.
MOST_PATIENCE_SECONDS = 60


def read_settings() -> Settings:
    """The settings; raises `CommandFailed` that names the one that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(["MODERNIZE", *(str(part).upper() for part in first["loc"])]) if first["loc"] else "A setting"
        reason = first["msg"].removeprefix("Value error, ")
        message = f"{name} cannot be used: {reason}" if first["loc"] else reason
        raise CommandFailed(message, code="bad_setting") from error


def api_key_file(settings: Settings) -> Path:
    """Where the platform keeps the key that it made for itself."""
    return settings.data_dir / "api_key"


def find_api_key(given: str | None) -> str:
    """The key from the command line, the settings or the data directory; raises `CommandFailed`."""
    if given:
        return given
    settings = read_settings()
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    path = api_key_file(settings)
    if not path.exists():
        raise CommandFailed(
            f"There is no API key: neither --api-key nor MODERNIZE_API_KEY is set, and {path} does not exist. "
            "The platform makes that file when it starts: run this in the folder where you ran `./justw up`.",
            code="no_api_key",
        )
    return path.read_text(encoding="utf-8").strip()


@contextmanager
def connect(
    url: str, api_key: str | None, client_account: UUID | None, engagement: UUID | None
) -> Iterator["RestClient"]:
    """A client of the gateway at `url`, in this engagement, this client account as a whole, or the default tenant.

    It shows the key that was given, else acts as who signed in there, else shows the key of the local platform.
    """
    if client_account is None and engagement is not None:
        wrong_usage("--engagement is one of a client account: give --client-account, too.")
    headers: dict[str, str] = {}
    if client_account is not None:
        headers |= {
            "X-Client-Account-Id": str(client_account),
            "X-Engagement-Id": str(engagement or PLATFORM.engagement_id),
        }
    settings = read_settings()
    if api_key is None and settings.api_key is None and SessionFile(settings.data_dir).read(url.rstrip("/")):
        with _client(url, headers, SessionAuth(SessionFile(settings.data_dir), url.rstrip("/"))) as client:
            yield client
    else:
        with _client(url, headers | {"X-API-Key": find_api_key(api_key)}) as client:
            yield client


@contextmanager
def anonymous(url: str, access_token: str | None = None) -> Iterator["RestClient"]:
    """A client of what is open to everybody, or with an access token of a person."""
    headers = {} if access_token is None else {"Authorization": f"Bearer {access_token}"}
    with _client(url, headers) as client:
        yield client


@contextmanager
def _client(url: str, headers: Mapping[str, str], auth: httpx2.Auth | None = None) -> Iterator["RestClient"]:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise bad_address(url)
    # The gateway is addressed directly: a proxy from the environment would get the key.
    try:
        http = httpx2.Client(
            base_url=f"{url.rstrip('/')}/api/v1", headers=headers, auth=auth, timeout=TIMEOUT, trust_env=False
        )
    except httpx2.InvalidURL as error:
        raise bad_address(url) from error
    with http:
        yield RestClient(http, url)


def bad_address(url: str) -> CommandFailed:
    """What is wrong with an address that is none."""
    return CommandFailed(f"{url} is not an address. Use one such as http://127.0.0.1:8000.", code="bad_url")


class RestClient:
    """The gateway as functions; each raises `CommandFailed` with what went wrong and what to do."""

    def __init__(self, http: httpx2.Client, url: str) -> None:
        self._http = http
        self.url = url

    @property
    def client_account(self) -> str | None:
        """The client account that the command named, if it named one."""
        named: str | None = self._http.headers.get("X-Client-Account-Id")
        return named

    def for_platform(self) -> "RestClient":
        """The same client, from now on in the tenant of what belongs to no client."""
        nobody = {"X-Client-Account-Id": PLATFORM.client_account_id, "X-Engagement-Id": PLATFORM.engagement_id}
        self._http.headers.update({name: str(value) for name, value in nobody.items()})
        return self

    def for_client_account(self) -> "RestClient":
        """The same client, from now on in the client account of its engagement."""
        current = self.get("/engagements/current", rest.EngagementView)
        names = {"X-Client-Account-Id": current.client_account_id, "X-Engagement-Id": PLATFORM.engagement_id}
        self._http.headers.update({name: str(value) for name, value in names.items()})
        return self

    def get(self, path: str, model: type[M], params: Mapping[str, Any] | None = None) -> M:
        """GET a resource."""
        return model.model_validate_json(self._request("GET", path, params=_given(params)).content)

    def post(self, path: str, model: type[M], body: BaseModel | None = None, *, timeout: httpx2.Timeout = TIMEOUT) -> M:
        """POST a body, or nothing; what creates something is sent again when the connection breaks off."""
        return self._send("POST", path, model, body, timeout=timeout)

    def put(self, path: str, model: type[M], body: BaseModel | None, headers: Mapping[str, str] | None = None) -> M:
        """PUT a resource."""
        return self._send("PUT", path, model, body, headers)

    def delete(
        self,
        path: str,
        model: type[M],
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> M:
        """DELETE a resource."""
        response = self._request("DELETE", path, params=_given(params), headers=dict(headers or {}))
        return model.model_validate_json(response.content)

    def items(self, path: str, model: type[M], params: Mapping[str, Any] | None = None) -> Iterator[M]:
        """All items of a list, page after page."""
        cursor: str | None = None
        while True:
            asked = {"limit": PAGE_ITEMS, "cursor": cursor, **(params or {})}
            page = self.get(path, rest.Page[model], asked)  # type: ignore[valid-type]  # a generic made at run time
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def upload(self, file_name: str, size_bytes: int, chunks: Callable[[], Iterable[bytes]]) -> rest.ImportView:
        """Send a file's bytes as they come; `chunks` gives them from the beginning, each time that it is called."""
        response = self._request(
            "POST",
            "/imports",
            params={"file_name": file_name},
            content=chunks,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(size_bytes),
                **key_for("POST", "/imports"),
            },
        )
        return rest.ImportView.model_validate_json(response.content)

    @contextmanager
    def lines(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Iterator[Iterator[str]]:
        """The lines of an answer that comes piece by piece."""
        try:
            with self._http.stream("GET", path, params=params, headers=headers) as response:
                if response.is_error:
                    response.read()
                    raise refusal(response)
                yield response.iter_lines()
        except httpx2.TransportError as error:
            raise self._no_answer(error) from error

    def download(self, path: str, target: Path) -> None:
        """Write a resource to a file, which appears only once it is complete."""
        part = target.with_name(f".{target.name}.part")
        try:
            with self._http.stream("GET", path) as response:
                if response.is_error:
                    response.read()
                    raise refusal(response)
                with part.open("wb") as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
        except httpx2.TransportError as error:
            raise self._no_answer(error) from error
        part.replace(target)

    def _send(
        self,
        method: str,
        path: str,
        model: type[M],
        body: BaseModel | None,
        more: Mapping[str, str] | None = None,
        *,
        timeout: httpx2.Timeout = TIMEOUT,
    ) -> M:
        # Written so that secrets are sent, which models otherwise hide.
        content = json.dumps(body.model_dump(), default=_sent) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {**key_for(method, path), **(more or {})}
        response = self._request(method, path, content=content, headers=headers, timeout=timeout)
        return model.model_validate_json(response.content)

    def _request(self, method: str, path: str, **request: Any) -> httpx2.Response:
        response = self._answer(method, path, request)
        seconds = _asked_to_wait(response)
        # A body that comes in pieces has been read by now.
        if seconds is not None and isinstance(request.get("content"), str | None):
            err.print(f"[yellow]…[/] {escape(refusal(response).message)} Tries once more in {seconds} s.")
            time.sleep(seconds)
            response = self._answer(method, path, request)
        if response.is_error:
            raise refusal(response)
        if not response.headers.get("content-type", "").startswith("application/json"):
            raise CommandFailed(
                f"What answers on {self.url} is not the gateway of this platform. Check --url.", code="not_a_gateway"
            )
        return response

    def _answer(self, method: str, path: str, request: dict[str, Any]) -> httpx2.Response:
        waits = iter(AGAIN_AFTER_SECONDS if HEADER in request.get("headers", {}) else ())
        lost: httpx2.TransportError | None = None
        while True:
            wait = next(waits, None)
            try:
                response = self._http.request(method, path, **opened(request))
            except httpx2.TransportError as error:
                if wait is None or (lost is None and isinstance(error, _UNREACHED)):
                    raise self._no_answer(lost or error) from error
                lost = error
                err.print(f"[yellow]…[/] The connection to {escape(self.url)} broke off. Tries again in {wait:g} s.")
            else:
                if lost is None or wait is None or not _is_in_flight(response):
                    return response
            time.sleep(wait)

    def _no_answer(self, error: Exception) -> CommandFailed:
        if isinstance(error, _UNREACHED):
            return CommandFailed(
                f"Nothing answers on {self.url}: start the platform with `./justw up`, or name another with --url.",
                code="no_gateway",
            )
        return CommandFailed(
            f"The connection to {self.url} broke off ({type(error).__name__}). Whether the request took effect is not "
            "known: look with `modernize flows list`, then try again.",
            code="connection_lost",
        )


def refusal(response: httpx2.Response) -> CommandFailed:
    """The failure that a problem document (RFC 9457) describes, or that a bare status code is."""
    try:
        problem = rest.ProblemDetails.model_validate_json(response.content)
    except ValidationError:
        text = f"{response.url} answered with the status {response.status_code}, without saying why."
        return CommandFailed(text, code="http_error", status=response.status_code)
    members = json.loads(problem.model_dump_json(exclude={"detail", "type", "title"}))
    return CommandFailed(problem.detail, **members)


def _is_in_flight(response: httpx2.Response) -> bool:
    """Whether the gateway still answers the same request, which was sent before."""
    return response.status_code == httpx2.codes.CONFLICT and refusal(response).members.get("code") == IN_FLIGHT


def _asked_to_wait(response: httpx2.Response) -> int | None:
    """The seconds of `Retry-After`, if the request was refused for now only and the wait is one for people."""
    value = response.headers.get("retry-after", "")
    return int(value) if response.is_error and value.isdecimal() and int(value) <= MOST_PATIENCE_SECONDS else None


def _sent(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else to_jsonable_python(value)


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}
