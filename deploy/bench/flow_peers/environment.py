"""The peers' own environment in `.bench/envs/flow_peers`: packages from PyPI, and Restate's server from npm."""

import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
RESTATE_PACKAGE = "@restatedev/restate-server@1.7.12"
RESTATE_PATTERN = "node_modules/@restatedev/restate-server-*/bin/restate-server"


class PeerUnavailable(Exception):
    """A peer cannot run on this machine; the message is one line for the table."""


def install_packages(environment: Path) -> Path:
    """Bring the environment to what `requirements.txt` says; returns its Python."""
    python = environment / "bin" / "python"
    make = ["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment)]
    install = ["uv", "pip", "install", "--system-certs", "--quiet", "--python", str(python)]
    subprocess.run(make, check=True)
    subprocess.run([*install, "--requirement", str(REQUIREMENTS)], check=True)
    return python


def restate_server(environment: Path) -> Path:
    """Restate's server, installed where it is missing; raises `PeerUnavailable`."""
    folder = environment / RESTATE_PACKAGE.rpartition("@")[2]
    if not list(folder.glob(RESTATE_PATTERN)):
        npm = shutil.which("npm")
        if npm is None:
            raise PeerUnavailable("its server comes as an npm package, and there is no npm")
        folder.mkdir(parents=True, exist_ok=True)
        # No scripts of packages: one of its dependencies reports installations to its makers.
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-save"]
        done = subprocess.run(
            [npm, "install", *quiet, "--prefix", str(folder), RESTATE_PACKAGE],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PeerUnavailable(f"npm cannot install its server: {done.stderr.strip().rpartition(chr(10))[2]}")
    found = list(folder.glob(RESTATE_PATTERN))
    if not found:
        raise PeerUnavailable(f"{RESTATE_PACKAGE} has no server for this machine")
    if subprocess.run([found[0], "--version"], capture_output=True, check=False).returncode:
        raise PeerUnavailable("its server does not start on this machine")
    return found[0]
