"""Where the tests' RabbitMQ comes from: one that is there, or a private node that is gone afterwards."""

import asyncio
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import aio_pika

DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672/"
START_SECONDS = 90.0
# Debian's /usr/sbin/rabbitmq-server changes to the user rabbitmq, who cannot write into our folder.
SERVER_PATHS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/opt/homebrew/sbin/rabbitmq-server"))
MISSING = (
    "RABBITMQ IS MISSING, SO THE TESTS ON A REAL BROKER DID NOT RUN. Set MODERNIZE_RABBITMQ_URL, start one on "
    "127.0.0.1:5672, or install rabbitmq-server (as root on Debian the tests do that themselves)."
)


class Source(Enum):
    """Where a broker comes from, best first."""

    CONFIGURED = "the address in MODERNIZE_RABBITMQ_URL"
    LOCAL = "the one on 127.0.0.1:5672"
    PRIVATE_NODE = "a private node of the installed server"
    INSTALLATION = "a private node, once apt-get has installed the server"
    NOWHERE = "nowhere"


def source_of(
    configured: str | None,
    local_answers: Callable[[], bool],
    installed: Callable[[], bool],
    can_install: Callable[[], bool],
) -> Source:
    """Decide; later questions are only asked when earlier ones were answered with no."""
    if configured:
        return Source.CONFIGURED
    if local_answers():
        return Source.LOCAL
    if installed():
        return Source.PRIVATE_NODE
    return Source.INSTALLATION if can_install() else Source.NOWHERE


def answers(url: str) -> bool:
    """Whether an AMQP 0-9-1 broker lets us in at this address."""

    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 5672), timeout=5).close()
    except OSError:
        return False

    async def connect() -> None:
        connection = await aio_pika.connect(url, timeout=5)
        await connection.close()

    try:
        asyncio.run(connect())
    except (aio_pika.exceptions.AMQPError, OSError, TimeoutError):
        return False
    return True


def installed_server() -> Path | None:
    """The server's start script, if it is installed."""
    found = [path for path in SERVER_PATHS if path.exists()]
    on_path = shutil.which("rabbitmq-server")
    return found[0] if found else Path(on_path) if on_path else None


def can_install() -> bool:
    """Whether this is root on Debian or its kin."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def install() -> None:
    """Install Debian's package, without letting it start a service of its own."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
        subprocess.run([*apt, "update"], check=True, env=environment, capture_output=True)
        command = [*apt, "install", "-y", "--no-install-recommends", "rabbitmq-server"]
        subprocess.run(command, check=True, env=environment, capture_output=True)
    finally:
        if ours:
            policy.unlink()


@dataclass
class PrivateNode:
    """A broker of our own: its folder, ports and Erlang name daemon are used by nobody else."""

    folder: Path
    port: int = field(default_factory=lambda: free_port())
    dist_port: int = field(default_factory=lambda: free_port())
    epmd_port: int = field(default_factory=lambda: free_port())
    pid: int | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> Self:
        """Start it and wait until it answers; raises `RuntimeError` with its log if it does not."""
        server = installed_server()
        if server is None:
            raise RuntimeError("rabbitmq-server is not installed")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plugins").write_text("[].\n")
        log = self.folder / "console.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [server], env=self._environment(), stdout=output, stderr=output, start_new_session=True
            )
        self.pid = process.pid
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the private RabbitMQ node did not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        return self

    def kill(self) -> None:
        """End it as a power cut would: nothing is flushed, nobody is told."""
        if self.pid is not None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass  # Already gone, or the child of another test process.
        self.pid = None

    def stop(self) -> None:
        """End it and its name daemon, and remove its files."""
        self.kill()
        epmd = shutil.which("epmd")
        if epmd:
            command = [epmd, "-port", str(self.epmd_port), "-kill"]
            subprocess.run(command, capture_output=True, check=False, env=self._environment())
        shutil.rmtree(self.folder, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
        }


def free_port() -> int:
    """A TCP port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class SharedBroker:
    """One broker for all test processes of a run: the first that needs it provides it, the last hook ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / "state.json"

    def url(self, configured: str | None) -> str | None:
        """The broker's address, or None if there is none to be had."""
        with self._locked():
            if not self._state.exists():
                self._state.write_text(json.dumps(self._provide(configured)))
            url: str | None = json.loads(self._state.read_text())["url"]
            return url

    def end(self) -> None:
        """Stop the private node, if one was started, and forget everything."""
        if self._state.exists():
            state = json.loads(self._state.read_text())
            if "pid" in state:
                node = PrivateNode(self._folder / "node", state["port"], state["dist_port"], state["epmd_port"])
                node.pid = state["pid"]
                node.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _provide(self, configured: str | None) -> dict[str, object]:
        source = source_of(
            configured, lambda: answers(DEFAULT_URL), lambda: installed_server() is not None, can_install
        )
        if source is Source.NOWHERE:
            return {"url": None}
        if source is Source.CONFIGURED:
            return {"url": configured}
        if source is Source.LOCAL:
            return {"url": DEFAULT_URL}
        if source is Source.INSTALLATION:
            install()
        node = PrivateNode(self._folder / "node").start()
        return {
            "url": node.url,
            "pid": node.pid,
            "port": node.port,
            "dist_port": node.dist_port,
            "epmd_port": node.epmd_port,
        }

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def new_shared_folder() -> Path:
    """A folder for a run's shared broker; Erlang needs a short path without blanks."""
    return Path(tempfile.mkdtemp(prefix="modernize-rabbitmq-"))
