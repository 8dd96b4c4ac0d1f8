"""The REST client: streaming, typed by `contracts.rest`, and every refusal as a sentence with its trace id."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
from pydantic import BaseModel, ValidationError
from rich.markup import escape

from contracts import rest
from contracts.envelope import PLATFORM
from services.chassis.settings import Settings
from services.cli.terminal import CommandFailed, err, wrong_usage

M = TypeVar("M", bound=BaseModel)

# Long enough for a gateway that is busy with a large upload's last part.
TIMEOUT = httpx2.Timeout(60, connect=5)
PAGE_ITEMS = 200
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
    """A client of the gateway at `url`, in this tenant or the default one."""
    if (client_account is None) != (engagement is None):
        wrong_usage("--client-account and --engagement name one tenant together: give both, or neither.")
    headers = {"X-API-Key": find_api_key(api_key)}
    if client_account is not None:
        headers |= {"X-Client-Account-Id": str(client_account), "X-Engagement-Id": str(engagement)}
    if urlsplit(url).scheme not in {"http", "https"}:
        raise bad_address(url)
    # The gateway is addressed directly: a proxy from the environment would get the key.
    try:
        http = httpx2.Client(base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=TIMEOUT, trust_env=False)
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

    def for_platform(self) -> "RestClient":
        """The same client, from now on in the tenant of what belongs to no client."""
        nobody = {"X-Client-Account-Id": PLATFORM.client_account_id, "X-Engagement-Id": PLATFORM.engagement_id}
        self._http.headers.update({name: str(value) for name, value in nobody.items()})
        return self

    def get(self, path: str, model: type[M], params: Mapping[str, Any] | None = None) -> M:
        """GET a resource."""
        return model.model_validate_json(self._request("GET", path, params=_given(params)).content)

    def post(self, path: str, model: type[M], body: BaseModel | None = None) -> M:
        """POST a body, or nothing."""
        return self._send("POST", path, model, body)

    def put(self, path: str, model: type[M], body: BaseModel) -> M:
        """PUT a resource."""
        return self._send("PUT", path, model, body)

    def delete(self, path: str, model: type[M]) -> M:
        """DELETE a resource."""
        return model.model_validate_json(self._request("DELETE", path).content)

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

    def upload(self, file_name: str, size_bytes: int, chunks: Iterable[bytes]) -> rest.ImportView:
        """Send a file's bytes as they come."""
        response = self._request(
            "POST",
            "/imports",
            params={"file_name": file_name},
            content=chunks,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)},
        )
        return rest.ImportView.model_validate_json(response.content)

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

    def _send(self, method: str, path: str, model: type[M], body: BaseModel | None) -> M:
        content = body.model_dump_json() if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        return model.model_validate_json(self._request(method, path, content=content, headers=headers).content)

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
        try:
            return self._http.request(method, path, **request)
        except httpx2.TransportError as error:
            raise self._no_answer(error) from error

    def _no_answer(self, error: Exception) -> CommandFailed:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
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


def _asked_to_wait(response: httpx2.Response) -> int | None:
    """The seconds of `Retry-After`, if the request was refused for now only and the wait is one for people."""
    value = response.headers.get("retry-after", "")
    return int(value) if response.is_error and value.isdecimal() and int(value) <= MOST_PATIENCE_SECONDS else None


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}
