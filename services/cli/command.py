"""What all commands have in common: `--json`, the options of the connection, and how failures end them."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import typer

from services.cli.terminal import CommandFailed, say_failure

INTERRUPTED = 130
DEFAULT_URL = "http://127.0.0.1:8000"

_JSON = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_CONNECTION: dict[str, tuple[Any, Any]] = {
    "url": (
        Annotated[
            str, typer.Option(envvar="MODERNIZE_URL", help="Address of the gateway.", rich_help_panel="Connection")
        ],
        DEFAULT_URL,
    ),
    "api_key": (
        Annotated[
            str | None,
            typer.Option(
                help="API key; else MODERNIZE_API_KEY, else the file api_key of the data directory.",
                rich_help_panel="Connection",
            ),
        ],
        None,
    ),
    "client_account": (
        Annotated[UUID | None, typer.Option(help="Id of the client account.", rich_help_panel="Connection")],
        None,
    ),
    "engagement": (
        Annotated[
            UUID | None,
            typer.Option(help="Id of the engagement; without it the client account.", rich_help_panel="Connection"),
        ],
        None,
    ),
}


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--json`, which it takes as `as_json`, and end it properly when it fails."""

    def run(**given: Any) -> None:
        try:
            function(**given)
        except CommandFailed as failure:
            say_failure(failure, as_json=given["as_json"])
            raise typer.Exit(failure.exit_code) from failure
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    return _as_typer_sees_it(run, function, {})


def connected(function: Callable[..., None]) -> Callable[..., None]:
    """As `command`, for a command that talks to the gateway through its first parameter, `client`."""
    return _connected(function, alone_with=None)


def connected_unless(argument: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `connected`, for a command that needs no gateway where this argument is given: `client` is None then."""
    return functools.partial(_connected, alone_with=argument)


def _connected(function: Callable[..., None], alone_with: str | None) -> Callable[..., None]:
    def run(**given: Any) -> None:
        connection = {name: given.pop(name) for name in _CONNECTION}
        if alone_with is not None and given[alone_with] is not None:
            function(None, **given)
            return
        from services.cli.rest_client import connect

        with connect(**connection) as client:
            function(client, **given)

    return command(_as_typer_sees_it(run, function, _CONNECTION))


def _as_typer_sees_it(
    run: Callable[..., None], function: Callable[..., None], options: dict[str, tuple[Any, Any]]
) -> Callable[..., None]:
    """`run` with the name, the words and the parameters of `function`, and these options and `--json` at the end."""
    functools.update_wrapper(run, function)
    del run.__dict__["__wrapped__"]
    taken = inspect.signature(function).parameters.values()
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in taken
        if parameter.name not in {"client", "as_json"}
    ]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in {**options, "as_json": (_JSON, False)}.items()
    ]
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
