"""What a file and a folder of this project look like, where no linter has a rule for it."""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source import FOLDERS, ROOT

LONGEST_FILE = 320
# In parts, so that this file does not name what it forbids.
REGISTRIES = (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs"))
# A module is named after what it holds; these names say only that something did not find its place.
VAGUE_NAMES = re.compile(r"(^|_)(utils?|helpers?|managers?|base|impl|misc)$")
SERVICE_MODULES = ("app.py", "handlers.py", "tables.py")
# Written so that a pattern does not match its own text.
FOREIGN = {
    "a package registry's host": re.compile("|".join(r"\.".join(host) for host in REGISTRIES)),
    "a path of somebody's machine": re.compile(r"(?<![\w./~$}-])/(work|root|home/\w+|Users/\w+|tmp/\w+)/"),
}
# The project itself goes by the last one.
LOCKS = ("deploy/scan.lock", "requirements.lock")


def listed_files() -> Iterator[PurePosixPath]:
    """The project's files, without what .gitignore leaves out."""
    ignored = [".git", *(line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split())]
    pending = [ROOT]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if any(fnmatch(path.name, pattern) for pattern in ignored):
                continue
            if path.is_dir():
                pending.append(path)
            else:
                yield PurePosixPath(path.relative_to(ROOT))


def vague_modules(paths: list[PurePosixPath]) -> list[str]:
    """Python files and their folders whose names say nothing."""
    return [str(path) for path in paths if any(VAGUE_NAMES.search(part) for part in path.with_suffix("").parts)]


def incomplete_services(services: Path) -> list[str]:
    """What a service folder lacks; the chassis and the command line are not services."""
    return [
        f"{folder.name}/{name}"
        for folder in sorted(services.iterdir())
        if folder.is_dir() and folder.name not in {"chassis", "cli", "__pycache__"}
        for name in SERVICE_MODULES
        if not (folder / name).exists()
    ]


def too_long(name: str, text: str) -> list[str]:
    """The file if it holds more than one idea, going by its length."""
    lines = text.count("\n")
    return [f"{name}: {lines} lines"] if lines > LONGEST_FILE else []


def foreign_text(name: str, text: str) -> list[str]:
    """Lines that name a place outside the project."""
    return [
        f"{name}:{number} has {what}: {found.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FOREIGN.items()
        if (found := pattern.search(line))
    ]


def unlocked(project: str, lock: str) -> list[str]:
    """Requirements of a pyproject.toml that no pin of the lock meets."""
    declared = tomllib.loads(project)
    groups = (
        declared["project"].get("dependencies", []),
        *declared["project"].get("optional-dependencies", {}).values(),
        *declared.get("dependency-groups", {}).values(),
    )
    pins = {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
    }
    requirements = [Requirement(text) for group in groups for text in group]
    return [
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"), prereleases=True)
        or canonicalize_name(requirement.name) not in pins
    ]


FILES = list(listed_files())
PYTHON_FILES = [path for path in FILES if path.suffix == ".py" and path.parts[0] in FOLDERS]


def read(path: PurePosixPath) -> str:
    return (ROOT / path).read_bytes().decode("utf-8", errors="ignore")


def test_every_service_has_an_app_handlers_and_tables() -> None:
    assert incomplete_services(ROOT / "services") == []


def test_a_service_without_tables_is_reported(tmp_path: Path) -> None:
    (tmp_path / "billing").mkdir()
    (tmp_path / "chassis").mkdir()
    for name in ("app.py", "handlers.py"):
        (tmp_path / "billing" / name).touch()
    assert incomplete_services(tmp_path) == ["billing/tables.py"]


def test_no_module_has_a_vague_name() -> None:
    assert vague_modules(PYTHON_FILES) == []


@pytest.mark.parametrize(
    "name", ["services/audit/utils.py", "services/date_utils.py", "deploy/helpers/x.py", "contracts/base.py"]
)
def test_a_vague_name_is_reported(name: str) -> None:
    assert vague_modules([PurePosixPath(name)]) == [name]


def test_a_name_that_only_contains_a_vague_one_is_allowed() -> None:
    assert vague_modules([PurePosixPath("services/chassis/database.py")]) == []


def test_no_file_is_too_long() -> None:
    # A migration is generated, and as long as the tables it makes.
    written = [path for path in PYTHON_FILES if "migrations" not in path.parts]
    assert [line for path in written for line in too_long(str(path), read(path))] == []


def test_a_long_file_is_reported() -> None:
    assert too_long("a.py", "\n" * LONGEST_FILE) == []
    assert too_long("a.py", "\n" * (LONGEST_FILE + 1)) == [f"a.py: {LONGEST_FILE + 1} lines"]


def test_no_file_names_a_registry_or_a_machine() -> None:
    assert [line for path in FILES for line in foreign_text(str(path), read(path))] == []


@pytest.mark.parametrize(
    "text",
    [
        "index-url = https://" + ".".join(("pypi", "org")) + "/simple",
        "FILES = 'https://files." + ".".join(("pythonhosted", "org")) + "'",
        "DATA = '" + "/".join(("", "work", "shared", "data")) + "'",
        "cd " + "/".join(("", "home", "ada", "project")),
    ],
)
def test_a_foreign_place_is_reported(text: str) -> None:
    assert len(foreign_text("a.py", f"first\n{text}\n")) == 1


@pytest.mark.parametrize("text", ["GET /api/v1/work/items", "src/root/x", "VOLUME /var/lib/modernize", "./tmp/x/y"])
def test_a_path_that_only_looks_foreign_is_allowed(text: str) -> None:
    assert foreign_text("a.py", text) == []


def test_the_lock_has_every_requirement() -> None:
    locks = "".join(read(PurePosixPath(name)) for name in LOCKS)
    assert unlocked(read(PurePosixPath("pyproject.toml")), locks) == [], "run `just lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address(name: str) -> None:
    assert "://" not in read(PurePosixPath(name))


def test_a_requirement_that_the_lock_does_not_meet_is_reported() -> None:
    project = (
        '[project]\ndependencies = ["rich>=14", "typer"]\n[dependency-groups]\ndev = ["mypy>=2", "Types_PyYAML"]\n'
    )
    assert unlocked(project, "rich==13.9 \\\nmypy==2.4.1 \\\ntypes-pyyaml==6.0 \\\n") == ["rich>=14", "typer"]


def same_number(files: list[PurePosixPath]) -> list[str]:
    """Migrations of one service that have a number in common, as when two branches each added the next one."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        if file.parent.name == "migrations" and re.match(r"v\d{4}_", file.name):
            found.setdefault((str(file.parent), file.name[:5]), []).append(str(file))
    return [" and ".join(names) for names in found.values() if len(names) > 1]


def test_each_migration_of_a_service_has_a_number_of_its_own() -> None:
    assert same_number(list(listed_files())) == []


def test_two_migrations_of_one_number_are_reported() -> None:
    first, second = (PurePosixPath(f"services/x/migrations/v0007_{name}.py") for name in ("a", "b"))
    assert same_number([first, second]) == [f"{first} and {second}"]
    assert same_number([first, PurePosixPath("services/y/migrations/v0007_b.py")]) == []
