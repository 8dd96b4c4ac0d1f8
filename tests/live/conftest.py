"""What tests of real providers share with those on the stub."""

from tests.agent_runner.models.conftest import platform

__all__ = ["platform"]
