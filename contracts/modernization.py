"""Modernization: an outdated repository in, a tested pull request out."""

from pydantic import Field

from contracts.envelope import Event, Problem
from contracts.lifecycle import StartOptions


class ModernizationRequested(Event, type="modernization.requested"):
    """Bring a repository up to date."""

    repository_url: str
    branch: str = "main"
    goals: list[str] = Field(default=[], description="What to reach, in words, such as 'Python 3.13'")
    options: StartOptions = StartOptions()


class ModernizationStarted(Event, type="modernization.started", public=True):
    """A modernization flow began."""

    repository_url: str


class ModernizationCompleted(Event, type="modernization.completed", public=True):
    """A modernization flow ended well."""

    pull_request_url: str


class ModernizationFailed(Event, type="modernization.failed", public=True):
    """A modernization flow ended without a pull request."""

    problem: Problem
