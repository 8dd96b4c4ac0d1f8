"""The agent runner: hears what to analyse, answers with explained results."""

from contracts.agent_memory import AgentMemoryEmbeddingRequested
from contracts.agents import AgentRegistered, ModelCallsRecorded
from contracts.learning import LearningRequested
from services.agent_runner import known_handlers, memory_handlers, model_handlers, task_handlers
from services.agent_runner.handlers import service

__all__ = ["SENT_BY_SWEEPS", "known_handlers", "memory_handlers", "model_handlers", "service", "task_handlers"]

# What it sends beside what its handlers return; a learning is what a tool proposes.
SENT_BY_SWEEPS = (AgentMemoryEmbeddingRequested, AgentRegistered, ModelCallsRecorded, LearningRequested)
