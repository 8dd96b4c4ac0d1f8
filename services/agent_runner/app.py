"""The agent runner: hears what to analyse, answers with explained results."""

from contracts.agents import AgentRegistered, ModelCallsRecorded
from services.agent_runner import model_handlers, task_handlers
from services.agent_runner.handlers import service

__all__ = ["SENT_BY_SWEEPS", "model_handlers", "service", "task_handlers"]

# What it sends beside what its handlers return.
SENT_BY_SWEEPS = (AgentRegistered, ModelCallsRecorded)
