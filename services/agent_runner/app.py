"""The agent runner: hears what to analyse, answers with explained results."""

from contracts.agents import AgentRegistered, ModelCallsRecorded
from contracts.learning import LearningRequested
from services.agent_runner import known_handlers, model_handlers, task_handlers
from services.agent_runner.handlers import service

__all__ = ["SENT_BY_SWEEPS", "known_handlers", "model_handlers", "service", "task_handlers"]

# What it sends beside what its handlers return; a learning is what a tool proposes.
SENT_BY_SWEEPS = (AgentRegistered, ModelCallsRecorded, LearningRequested)
