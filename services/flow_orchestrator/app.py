"""The flow orchestrator: hears requests and outcomes, decides what comes next."""

from services.flow_orchestrator import timers
from services.flow_orchestrator.handlers import service

__all__ = ["service", "timers"]
