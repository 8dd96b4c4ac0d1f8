"""What every command says and how: results on standard output, everything about the way there on standard error."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console

if TYPE_CHECKING:
    from pydantic import BaseModel

OK, FAILED, USAGE = 0, 1, 2

# Where nobody's terminal sets the width, as in a pipe, tables need not be cut to 80 columns.
PIPED_WIDTH = 160


def _width() -> int | None:
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH


out = Console(highlight=False, width=_width())
err = Console(stderr=True, highlight=False)


class CommandFailed(Exception):
    """A command cannot do what was asked: a sentence for people, and the members that programs read."""

    def __init__(self, message: str, exit_code: int = FAILED, **members: Any) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.members = members


def wrong_usage(message: str) -> NoReturn:
    """End the command: what was typed makes no sense."""
    raise CommandFailed(message, USAGE, code="wrong_usage")


def say_failure(failure: CommandFailed, *, as_json: bool) -> None:
    """Report a failure on standard error."""
    if as_json:
        members = {name: value for name, value in failure.members.items() if value is not None}
        sys.stderr.write(json.dumps({"problem": {"detail": failure.message, **members}}, ensure_ascii=False) + "\n")
        return
    err.print("[bold red]✗[/] ", end="")
    err.print(failure.message, markup=False, soft_wrap=True)
    for label, name in (("File", "file_name"), ("Row", "row"), ("Column", "column"), ("Trace", "trace_id")):
        value = failure.members.get(name)
        if value is not None and str(value) not in failure.message:
            err.print(f"  {label}: {value}", style="dim", markup=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Write a document to standard output, readable to people and programs."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_models(name: str, models: "list[Any] | BaseModel") -> None:
    """Write models as `{name: …}`."""
    dumped = (
        [each.model_dump(mode="json") for each in models]
        if isinstance(models, list)
        else models.model_dump(mode="json")
    )
    print_json({name: dumped})


def program() -> str:
    """How to call this command again from the same folder, where its script may not be on the path."""
    script = Path(sys.argv[0])
    relative = os.path.relpath(script)
    return relative if script.name == "modernize" and not relative.startswith("..") else "modernize"
