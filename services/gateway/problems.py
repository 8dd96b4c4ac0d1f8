"""Errors as RFC 9457 problem details with a trace id."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from services.chassis.errors import BadRequest, ExpectedFailure, problem_details
from services.chassis.telemetry import current_trace_id

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class _HttpFailure(ExpectedFailure):
    """A failure that the framework itself found, such as an unknown path."""


def _response(request: Request, failure: ExpectedFailure, status: int | None = None) -> JSONResponse:
    body = problem_details(failure, current_trace_id(), request.url.path)
    body["status"] = status or failure.status
    return JSONResponse(body, status_code=body["status"], media_type=MEDIA_TYPE)


def install_problem_details(app: FastAPI) -> None:
    """Give every error of `app` the same shape."""

    @app.exception_handler(ExpectedFailure)
    async def expected(request: Request, failure: ExpectedFailure) -> JSONResponse:
        return _response(request, failure)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return _response(request, BadRequest("invalid_request", f"{place}: {first['msg']}."), 422)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(error.status_code, "http_error")
        return _response(request, _HttpFailure(code, str(error.detail)), error.status_code)

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", path=request.url.path, exc_info=error)
        detail = "This is a fault of the platform, not of the request. Give its operators the trace id."
        return _response(request, _HttpFailure("internal_error", detail), 500)
