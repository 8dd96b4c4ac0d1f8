"""Errors as RFC 9457 problem details with a trace id."""

from collections.abc import Awaitable, Callable

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.types import Message, Scope, Send

from services.chassis.errors import (
    BadRequest,
    ExpectedFailure,
    Forbidden,
    NoBusiness,
    TooLarge,
    Unauthorized,
    problem_details,
)
from services.chassis.telemetry import current_trace_id

log = structlog.get_logger()

# Of Postgres' error codes: character_not_in_repertoire.
NUL_CHARACTER = "22021"
MEDIA_TYPE = "application/problem+json"


class _HttpFailure(ExpectedFailure):
    """A failure that the framework itself found, such as an unknown path."""


class TryLater(ExpectedFailure):
    """A refusal that time alone lifts: the answer has a `Retry-After` of so many seconds."""

    def __init__(self, code: str, detail: str, *, seconds: int) -> None:
        super().__init__(code, detail)
        self.seconds = seconds


TOO_LARGE = TooLarge(
    "body_too_large", "The body is larger than this route accepts, and was not read. Files go to POST /api/v1/imports."
)


def problem_response(path: str, failure: ExpectedFailure, status: int | None = None) -> JSONResponse:
    """A failure as its problem document."""
    body = problem_details(failure, current_trace_id(), path)
    body["status"] = status or failure.status
    headers = {"Retry-After": str(failure.seconds)} if isinstance(failure, TryLater) else None
    return JSONResponse(body, status_code=body["status"], media_type=MEDIA_TYPE, headers=headers)


def sending_problems(scope: Scope, send: Send) -> Send:
    """`send`, but the plain text with which the framework refuses a declared length becomes a problem too."""
    replaced = False

    async def send_problem(message: Message) -> None:
        nonlocal replaced
        if replaced:
            return
        start = message["type"] == "http.response.start"
        if (
            start
            and message["status"] == TOO_LARGE.status
            and b"text/plain" in dict(message["headers"])[b"content-type"]
        ):
            replaced = True
            response = problem_response(scope["path"], TOO_LARGE)
            await send({**message, "headers": response.raw_headers})
            await send({"type": "http.response.body", "body": response.body})
        else:
            await send(message)

    return send_problem


def install_problem_details(app: FastAPI, refused: Callable[[Request, ExpectedFailure], Awaitable[None]]) -> None:
    """Give every error of `app` the same shape, and tell `refused` who may not do what it asked for."""

    @app.exception_handler(ExpectedFailure)
    async def expected(request: Request, failure: ExpectedFailure) -> JSONResponse:
        if isinstance(failure, Unauthorized | Forbidden | NoBusiness):
            await refused(request, failure)
        return problem_response(request.url.path, failure)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return problem_response(request.url.path, BadRequest("invalid_request", f"{place}: {first['msg']}."), 422)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == TOO_LARGE.status:
            return problem_response(request.url.path, TOO_LARGE)
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        response = problem_response(request.url.path, _HttpFailure(code, str(error.detail)), error.status_code)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(DBAPIError)
    async def refused_by_database(request: Request, error: DBAPIError) -> JSONResponse:
        if getattr(error.orig, "sqlstate", None) != NUL_CHARACTER:
            return await bug(request, error)
        detail = "A text of the request has a NUL character, which cannot be stored or found. Send it without."
        return problem_response(request.url.path, ExpectedFailure("nul_character", detail))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", path=request.url.path, exc_info=error)
        detail = "This is a fault of the platform, not of the request. Give its operators the trace id."
        return problem_response(request.url.path, _HttpFailure("internal_error", detail), 500)
