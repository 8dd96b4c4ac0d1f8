"""Makes `.venv` what `requirements.lock` says. Standard library only: it runs before anything is installed."""

import fcntl
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
SCAN = VENV / "scan"
SCAN_LOCK = ROOT / "deploy" / "scan.lock"
TOOLS_STAMP = VENV / "tools.stamp"
PARTS_STAMP = VENV / "parts.stamp"

# What can be installed beyond the runtime; `uv pip install` options that name it in pyproject.toml.
PARTS = {
    "embedded": ["--extra", "embedded"],
    "agents": ["--extra", "agents"],
    "kms": ["--extra", "kms"],
    "embeddings": ["--extra", "embeddings"],
    "dev": ["--group", "dev"],
}


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for other runs in this checkout; the lock ends with the process, however it ends."""
    with LOCK.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read(path: Path) -> str:
    """The text of a file, empty when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def locked(names: list[str]) -> str:
    """The lines of the lock that pin these `name==version`s, with their hashes."""
    lines, wanted = [], False
    for line in LOCK.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.startswith(" "):
            wanted = line.split()[0] in names
        if wanted:
            lines.append(line)
    return "".join(lines)


def run(*command: str | Path) -> None:
    """Run a command in the checkout, or end with its exit status; it has said why."""
    status = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode
    if status:
        sys.exit(
            f"{Path(command[0]).name} failed (exit status {status}), so .venv is not ready. "
            "After a change of pyproject.toml run `./justw lock`; otherwise run the recipe again."
        )


def install_tools(wanted: str) -> None:
    """Make `.venv` with the locked `just` and `uv`; `wanted` is the checkout's path and then a pin a line."""
    if PYTHON.exists() and read(TOOLS_STAMP) == wanted:
        return
    place, *pins = wanted.splitlines()
    print("Setting up .venv with just and uv ...", file=sys.stderr)
    if not PYTHON.exists() or read(TOOLS_STAMP).partition("\n")[0] != place:
        run(sys.executable, "-m", "venv", "--clear", VENV)
    TOOLS_STAMP.unlink(missing_ok=True)
    requirements = VENV / "tools.txt"
    requirements.write_text(locked(pins), encoding="utf-8")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    run(PYTHON, "-m", "pip", "install", *quiet, "--require-hashes", "--requirement", requirements)
    TOOLS_STAMP.write_text(wanted, encoding="utf-8")


def install_scan() -> None:
    """Make the environment of semgrep, whose pins do not go with those of the rest, as its own lock says."""
    wanted, stamp = hashlib.sha256(SCAN_LOCK.read_bytes()).hexdigest(), SCAN / "scan.stamp"
    if read(stamp) == wanted:
        return
    print("Installing semgrep into .venv/scan ...", file=sys.stderr)
    uv = VENV / "bin" / "uv"
    run(uv, "venv", "--quiet", "--clear", "--python", PYTHON, SCAN)
    run(
        uv,
        "pip",
        "sync",
        "--system-certs",
        "--quiet",
        "--require-hashes",
        "--python",
        SCAN / "bin" / "python",
        SCAN_LOCK,
    )
    stamp.write_text(wanted, encoding="utf-8")


def sync(parts: list[str]) -> None:
    """Install the runtime and these parts. A part stays once it is there, or demo and test would undo each other."""
    if "scan" in parts:
        install_scan()
        parts = [part for part in parts if part != "scan"]
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"There is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}.")
    digest = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    installed_digest, *installed = read(PARTS_STAMP).split() or [""]
    wanted = sorted({*installed, *parts})
    if (installed_digest, installed) == (digest, wanted):
        return
    print(f"Installing what the lock says into .venv (runtime, {', '.join(wanted)}) ...", file=sys.stderr)
    started = time.monotonic()
    PARTS_STAMP.unlink(missing_ok=True)
    uv: tuple[str | Path, ...] = (
        VENV / "bin" / "uv",
        "pip",
        "install",
        "--system-certs",
        "--quiet",
        "--python",
        PYTHON,
    )
    options = [option for part in wanted for option in PARTS[part]]
    # The lock holds every part; as a constraint with hashes it pins and checks whatever subset is asked for.
    locked_only = ["--require-hashes", "--constraint", "requirements.lock"]
    run(
        *uv,
        "--compile-bytecode",
        "--exact",
        *locked_only,
        "--requirement",
        "pyproject.toml",
        "--group",
        "tools",
        *options,
    )
    run(*uv, "--no-deps", "--editable", ".")
    PARTS_STAMP.write_text("\n".join([digest, *wanted]), encoding="utf-8")
    print(f"Installed in {time.monotonic() - started:.0f} s.", file=sys.stderr)


if __name__ == "__main__":
    with one_at_a_time():
        if sys.argv[1] == "tools":
            install_tools(sys.argv[2])
        else:
            sync(sys.argv[2:])
