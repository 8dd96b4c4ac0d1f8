"""The audit service: hears everything, changes nothing."""

from services.audit import alarm, checkpoints, export, questions, verification
from services.audit.handlers import service

__all__ = ["alarm", "checkpoints", "export", "questions", "service", "verification"]
