"""The project's own Python files, parsed: what the architecture tests judge."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("contracts", "services", "deploy", "tests")


@dataclass(frozen=True)
class Import:
    """One imported name in full, such as `services.chassis.outbox.publish`, and where it stands."""

    name: str
    line: int
    at_module_level: bool  # runs when the module is imported; the body of `if TYPE_CHECKING:` does not

    def is_of(self, *packages: str) -> bool:
        """Whether this is one of the packages or something inside one."""
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)


@dataclass(frozen=True)
class Module:
    """A Python file by its dotted name."""

    name: str
    tree: ast.Module

    @staticmethod
    def parse(name: str, text: str) -> "Module":
        """Read a module's text."""
        return Module(name, ast.parse(text))

    @property
    def service(self) -> str | None:
        """The part after `services.`: a service's name, or `chassis` or `cli`."""
        parts = self.name.split(".")
        return parts[1] if parts[0] == "services" and len(parts) > 1 else None

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Everything this module imports, wherever the statement stands."""
        return tuple(_imports(self.tree, self.name, at_module_level=True))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        """Every call in this module."""
        return tuple(node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the project."""
    return tuple(
        Module.parse(".".join(path.relative_to(ROOT).with_suffix("").parts), path.read_text(encoding="utf-8"))
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    )


def _imports(node: ast.AST, module: str, at_module_level: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, node.lineno, at_module_level) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = ".".join([*module.split(".")[: -node.level], node.module or ""]) if node.level else node.module
        yield from (Import(f"{package}.{alias.name}", node.lineno, at_module_level) for alias in node.names)
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        yield from (found for child in node.body for found in _imports(child, module, False))
        yield from (found for child in node.orelse for found in _imports(child, module, at_module_level))
    else:
        inside = at_module_level and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from (found for child in ast.iter_child_nodes(node) for found in _imports(child, module, inside))
