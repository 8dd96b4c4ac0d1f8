"""The benchmark runner: it finds benchmarks, keeps peers apart, and writes what was measured."""

import importlib
import json
import math
from pathlib import Path

import pytest

from deploy.bench.__main__ import find, installation, main, peers_of
from deploy.bench.results import Result

QUICK = """
from deploy.bench.results import Result

PEERS: list[str] = []

async def run() -> Result:
    rows = len(range(1000))
    return Result(figures={"rows": rows, "seconds": 0.25}, ratios={"ours_to_theirs": 1.5})
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `sample_benchmarks` with one benchmark, `import`."""
    package = tmp_path / "sample_benchmarks"
    package.mkdir()
    (package / "import_bench.py").write_text(QUICK, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return package


def test_a_benchmark_prints_a_table_and_writes_its_json(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import"], package="sample_benchmarks", folder=folder, results=tmp_path / ".bench") == 0
    written = json.loads((tmp_path / ".bench" / "import.json").read_text(encoding="utf-8"))
    assert written == {"figures": {"rows": 1000, "seconds": 0.25}, "ratios": {"ours_to_theirs": 1.5}}
    printed = capsys.readouterr().out
    assert "1,000" in printed
    assert "1.50 ×" in printed


@pytest.mark.parametrize("arguments", [[], ["nothing"]])
def test_an_unknown_name_lists_what_there_is(
    arguments: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, package="sample_benchmarks", folder=folder, results=tmp_path) == 2
    assert "There are: import." in capsys.readouterr().out


def test_peers_are_read_without_importing_the_benchmark(tmp_path: Path) -> None:
    path = tmp_path / "bus_bench.py"
    path.write_text('import not_installed\n\nPEERS: list[str] = ["celery[redis]>=5", "dramatiq"]\n', encoding="utf-8")
    assert peers_of(path) == ["celery[redis]>=5", "dramatiq"]


def test_a_benchmark_has_to_name_its_peers(tmp_path: Path) -> None:
    path = tmp_path / "bus_bench.py"
    path.write_text("async def run():\n    pass\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bus_bench\.py does not say what it compares with"):
        peers_of(path)


def test_peers_go_into_an_environment_of_their_own_beside_the_locked_runtime(tmp_path: Path) -> None:
    make, runtime, peers, project = installation(tmp_path / "envs" / "bus", ["celery"])
    assert make[-1] == str(tmp_path / "envs" / "bus")
    assert "--require-hashes" in runtime
    assert peers[-3:] == ["--constraint", "requirements.lock", "celery"]
    assert project[-2:] == ["--editable", "."]
    assert all(str(tmp_path / "envs" / "bus" / "bin" / "python") in command for command in (runtime, peers, project))


def test_a_figure_that_is_not_a_number_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "import.json"
    with pytest.raises(ValueError, match="Out of range float"):
        Result(figures={"seconds": math.nan}, ratios={}).write(path)
    assert not path.exists()


def test_every_benchmark_of_the_project_names_its_peers() -> None:
    folder = Path(__file__).resolve().parent.parent.parent / "deploy" / "bench"
    for path in find(folder).values():
        assert isinstance(peers_of(path), list)
