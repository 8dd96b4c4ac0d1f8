"""The audit service: hears everything, changes nothing."""

from services.audit.handlers import service

__all__ = ["service"]
