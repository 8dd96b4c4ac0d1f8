"""What processes use, read from proc(5), which is Linux's alone."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields after the command's name, which may hold blanks and brackets itself."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _parents() -> dict[int, int]:
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                found[int(path.name)] = int(_stat(int(path.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # It ended meanwhile.
    return found


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, of what it started, and of those of them that have ended and were waited for."""
    parents, total, waiting = _parents(), 0, [pid]
    while waiting:
        current = waiting.pop()
        waiting += [child for child, parent in parents.items() if parent == current]
        try:
            total += sum(int(field) for field in _stat(current)[11:15])
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended meanwhile, and its parent's figures have it.
    return total / _TICKS


def peak_resident_mb(pid: int) -> float:
    """The most memory that a process ever had resident, in MB (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status names no VmHWM: has the process ended?")


def pids_below(folder: str) -> list[int]:
    """The topmost of the processes whose command names this folder: servers whose files lie there."""
    found = set()
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                command = (path / "cmdline").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue  # It ended meanwhile.
            if folder in command:
                found.add(int(path.name))
    parents = _parents()
    return sorted(pid for pid in found if parents.get(pid) not in found)
