"""The flow orchestrator: hears requests and outcomes, decides what comes next."""

from services.flow_orchestrator import limits, repair_runs, retention, schedules, timers
from services.flow_orchestrator.handlers import service

__all__ = ["limits", "repair_runs", "retention", "schedules", "service", "timers"]
