"""RabbitMQ and Redis as nodes of our own under the data directory, from servers that are installed."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from services.cli.terminal import CommandFailed

START_SECONDS = 90
# Debian's /usr/sbin/rabbitmq-server changes to the user rabbitmq, who cannot write into our folder.
RABBITMQ_SERVERS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/opt/homebrew/sbin/rabbitmq-server"))
NODE_NAME = "modernize@localhost"


def free_port() -> int:
    """A TCP port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def speaks_amqp(port: int) -> bool:
    """Whether an AMQP 0-9-1 broker answers: it replies to the protocol header with Connection.Start."""
    return _reply(port, b"AMQP\x00\x00\x09\x01").startswith(b"\x01\x00\x00")


def speaks_redis(port: int) -> bool:
    """Whether a Redis answers that wants no password."""
    return _reply(port, b"PING\r\n").startswith(b"+PONG")


def _reply(port: int, request: bytes) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(request)
            return connection.recv(64)
    except OSError:
        return b""


class PrivateRabbitMQ:
    """A broker whose folder, ports and Erlang name daemon nobody else uses; its queues outlive a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._ports: dict[str, int] = {}

    @staticmethod
    def server() -> Path | None:
        """The installed server, if there is one."""
        on_path = shutil.which("rabbitmq-server")
        found = [path for path in RABBITMQ_SERVERS if path.exists()]
        return found[0] if found else Path(on_path) if on_path else None

    def start(self) -> str:
        """Start it, or join the one that an interrupted run left; returns its address. Raises `CommandFailed`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        remembered = self._folder / "ports.json"
        if remembered.exists():
            self._ports = json.loads(remembered.read_text())
        if not (self._ports and speaks_amqp(self._ports["amqp"])):
            self._ports = {name: free_port() for name in ("amqp", "dist", "epmd")}
            remembered.write_text(json.dumps(self._ports))
            (self._folder / "plugins").write_text("[].\n")
            _start([str(self.server())], self._folder, self._environment(), lambda: speaks_amqp(self._ports["amqp"]))
        return f"amqp://guest:guest@127.0.0.1:{self._ports['amqp']}/"

    def stop(self) -> None:
        """Stop the node and its name daemon."""
        control = Path(str(self.server())).with_name("rabbitmqctl")
        commands = [[str(control), "-n", NODE_NAME, "stop"]]
        if epmd := shutil.which("epmd"):
            commands.append([epmd, "-port", str(self._ports["epmd"]), "-kill"])
        for command in commands:
            subprocess.run(command, env=self._environment(), capture_output=True, check=False, timeout=60)

    def _environment(self) -> dict[str, str]:
        nothing = str(self._folder / "none")
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._ports["epmd"]),
            "RABBITMQ_NODENAME": NODE_NAME,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._ports["amqp"]),
            "RABBITMQ_DIST_PORT": str(self._ports["dist"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": nothing,
            "RABBITMQ_ADVANCED_CONFIG_FILE": nothing,
            "RABBITMQ_CONF_ENV_FILE": nothing,
        }


class PrivateRedis:
    """A Redis that keeps nothing: what it holds can be computed again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._port = 0

    @staticmethod
    def server() -> str | None:
        """The installed server, if there is one."""
        return shutil.which("redis-server") or shutil.which("valkey-server")

    def start(self) -> str:
        """Start it and return its address. Raises `CommandFailed`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        remembered = self._folder / "port"
        self._port = int(remembered.read_text()) if remembered.exists() else 0
        if not (self._port and speaks_redis(self._port)):
            self._port = free_port()
            remembered.write_text(str(self._port))
            listen = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
            command = [str(self.server()), *listen, "--save", "", "--appendonly", "no"]
            _start(command, self._folder, dict(os.environ), lambda: speaks_redis(self._port))
        return f"redis://127.0.0.1:{self._port}/0"

    def stop(self) -> None:
        """Stop it."""
        _reply(self._port, b"SHUTDOWN NOSAVE\r\n")


def _start(command: list[str], folder: Path, environment: dict[str, str], answers: Callable[[], bool]) -> None:
    log = folder / "console.log"
    with log.open("ab") as output:
        # In a session of its own Ctrl-C does not reach it, and services can still finish what they do.
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise CommandFailed(
                f"{command[0]} did not start. The end of {log} says why:\n{log.read_text(errors='replace')[-1500:]}",
                code="node_did_not_start",
            )
        time.sleep(0.1)
