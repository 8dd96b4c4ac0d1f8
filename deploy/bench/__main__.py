"""`python -m deploy.bench NAME` runs the benchmark of `deploy/bench/NAME_bench.py`.

Such a module has `PEERS: list[str]`, the packages it compares with, and `async def run() -> Result`. Its peers never
reach the project's own environment: they are installed beside the locked runtime into `.bench/envs/NAME`.
"""

import ast
import asyncio
import importlib
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from deploy.bench.results import Result

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / ".bench"
SUFFIX = "_bench"  # a module cannot be called `import`, a benchmark can


def find(folder: Path) -> dict[str, Path]:
    """The benchmarks of a folder by name."""
    return {path.stem.removesuffix(SUFFIX): path for path in sorted(folder.glob(f"*{SUFFIX}.py"))}


def peers_of(path: Path) -> list[str]:
    """The literal `PEERS` of a benchmark, read without importing it: its imports may be what is not installed yet."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "PEERS" and node.value:
            return [str(peer) for peer in ast.literal_eval(node.value)]
    raise ValueError(f"{path.name} does not say what it compares with: add `PEERS: list[str] = [...]`")


def installation(environment: Path, peers: list[str]) -> list[list[str]]:
    """The commands that make an environment with the locked runtime, the project and the peers."""
    install = ["uv", "pip", "install", "--quiet", "--python", str(environment / "bin" / "python")]
    locked = ["--constraint", "requirements.lock"]
    return [
        ["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment)],
        [*install, *locked, "--require-hashes", "--requirement", "pyproject.toml", "--extra", "embedded"],
        [*install, *locked, *peers],
        [*install, "--no-deps", "--editable", "."],
    ]


def measure(module: str) -> Result:
    """Run the benchmark of this module in this process."""
    result = asyncio.run(importlib.import_module(module).run())
    if not isinstance(result, Result):
        raise TypeError(f"{module}.run() must return a Result, not {type(result).__name__}")
    return result


def main(
    arguments: list[str], package: str = "deploy.bench", folder: Path = Path(__file__).parent, results: Path = RESULTS
) -> int:
    """Run the named benchmark; the exit status is 2 for a name that there is not."""
    console = Console()
    known = find(folder)
    name = arguments[0] if arguments else ""
    if name not in known:
        console.print(f"There is no benchmark {name!r}. There are: {', '.join(known) or 'none yet'}.", markup=False)
        return 2
    peers = peers_of(known[name])
    environment = results / "envs" / name
    if peers and Path(sys.prefix) != environment:
        console.print(f"Installing {', '.join(peers)} into {environment} ...", markup=False)
        for command in installation(environment, peers):
            subprocess.run(command, cwd=ROOT, check=True)
        command = [str(environment / "bin" / "python"), "-m", package, name]
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    result = measure(f"{package}.{known[name].stem}")
    result.write(results / f"{name}.json")
    console.print(result.table(f"bench {name}"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
