"""The agent runner: hears what to analyse, answers with explained results."""

from services.agent_runner.handlers import service

__all__ = ["service"]
