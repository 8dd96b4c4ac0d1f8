"""CrewAI, loaded late: it takes seconds, so it is imported in a thread, once, when it is first needed."""

import asyncio
import importlib
import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from contracts.envelope import Problem

# Read by CrewAI when it is imported. With telemetry on it takes over SIGTERM and waits for DNS.
ENVIRONMENT = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "PYTHON_DOTENV_DISABLED": "1",
    "ANONYMIZED_TELEMETRY": "False",
}
# CrewAI honours these for the whole process; whose are they?
FOREIGN = ("REDIS_URL", "MODEL", "BASE_URL", "API_BASE", "OPENAI_BASE_URL", "OPENAI_API_BASE")

# CrewAI waits for each answer in a thread of the loop's own pool, which would have six on two cores.
THREADS = 64

NOT_INSTALLED = Problem(
    code="agents_not_installed",
    detail="CrewAI is not installed here, so rules decide. Install it with `./justw install agents`, or use the image "
    "that is built with EXTRAS=agents.",
)


def installed() -> bool:
    """Whether CrewAI is there at all."""
    return importlib.util.find_spec("crewai") is not None


class CrewLoading:
    """Loads CrewAI once; `folder` is where it keeps what it keeps on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loading: asyncio.Future[ModuleType] | None = None

    @property
    def ready(self) -> bool:
        """Whether it is loaded."""
        loading = self._loading
        return loading is not None and loading.done() and not loading.cancelled() and loading.exception() is None

    def begin(self) -> "asyncio.Future[ModuleType]":
        """Load it in the background, unless that was begun."""
        if self._loading is None:
            prepare_environment(self._folder)
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "agents"))
            self._loading = asyncio.ensure_future(asyncio.to_thread(importlib.import_module, "crewai"))
        return self._loading

    async def wait(self) -> None:
        """Until it is loaded; whoever gives up waiting does not stop it for others."""
        await asyncio.shield(self.begin())


def load_now(folder: Path) -> None:
    """Load it at once, for a command that has nothing better to do meanwhile."""
    prepare_environment(folder)
    importlib.import_module("crewai")


def prepare_environment(folder: Path) -> None:
    """Switch off what CrewAI would tell others, and what it would read that was meant for other programs."""
    os.environ.update(ENVIRONMENT)
    os.environ["CREWAI_STORAGE_DIR"] = str(folder.absolute())
    for name in FOREIGN:
        os.environ.pop(name, None)
