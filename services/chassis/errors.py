"""Expected failures as typed errors, and how they look to a REST client (RFC 9457 problem details)."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from contracts import Problem


class ExpectedFailure(Exception):
    """Something that can go wrong without a bug: says what happened and what to do, and which HTTP status it has.

    Raise a subclass where one fits; this class itself is the 422 of content that cannot be processed.
    """

    status: ClassVar[int] = 422

    def __init__(
        self, code: str, detail: str, *, file_name: str | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(code=code, detail=detail, file_name=file_name, row=row, column=column)

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The same failure, raised again from the problem that an event or a table carries."""
        return cls(problem.code, problem.detail, file_name=problem.file_name, row=problem.row, column=problem.column)


class BadRequest(ExpectedFailure):
    """The request itself is malformed."""

    status = 400


class Unauthorized(ExpectedFailure):
    """No valid key or token came with the request."""

    status = 401


class Forbidden(ExpectedFailure):
    """The caller is known and may not do this."""

    status = 403


class NotFound(ExpectedFailure):
    """There is no such thing in this tenant."""

    status = 404


class NoBusiness(NotFound):
    """A tenant that is none of the caller's: it looks like one that does not exist, and is audited."""


class Conflict(ExpectedFailure):
    """The thing is not in a state that allows this."""

    status = 409

    @classmethod
    def with_alternatives(cls, code: str, detail: str, alternatives: Sequence[str]) -> Self:
        """A conflict whose detail ends with what is possible now, such as `["pause", "cancel"]`."""
        possible = (
            f"Possible now: {', '.join(alternatives)}." if alternatives else "Nothing can be done with it any more."
        )
        return cls(code, f"{detail} {possible}")


class PreconditionFailed(ExpectedFailure):
    """The thing has changed since the caller looked at it."""

    status = 412


class TooLarge(ExpectedFailure):
    """The body is larger than the platform accepts."""

    status = 413


def problem_details(error: ExpectedFailure, trace_id: str | None, instance: str) -> dict[str, Any]:
    """The `application/problem+json` body of a failure (RFC 9457); members without a value are left out.

    `instance` is the path of the request. `code`, `trace_id`, `file_name`, `row` and `column` are extension members.
    """
    problem = error.problem
    members = {
        "type": f"urn:ai-modernize:problem:{problem.code}",
        "title": problem.code.replace("_", " ").capitalize(),
        "status": error.status,
        "detail": problem.detail,
        "instance": instance,
        "code": problem.code,
        "trace_id": trace_id,
        "file_name": problem.file_name,
        "row": problem.row,
        "column": problem.column,
    }
    return {name: value for name, value in members.items() if value is not None}
