"""`modernize config`: what can be changed while the platform runs, for an engagement, a client account, or all."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from services.cli.command import connected
from services.cli.terminal import out, print_json, print_models, wrong_usage

if TYPE_CHECKING:
    from contracts.rest_configuration import ConfigurationView
    from services.cli.rest_client import RestClient

config_commands = typer.Typer(help="What can be changed while the platform runs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The key, as in `modernize config list`.", show_default=False)]
At = Annotated[
    Literal["engagement", "client", "platform"],
    typer.Option("--at", help="For whom: this engagement, its client account, or the whole platform."),
]
Why = Annotated[str, typer.Option("--reason", help="Why; it is kept with the change.", show_default=False)]


@config_commands.command("list")
@connected
def list_keys(client: "RestClient", at: At = "engagement", as_json: bool = False) -> None:
    """List every key with the value that counts, and where it was set."""
    from rich.table import Table

    from contracts.rest_configuration import ConfigurationPage

    keys = _at(client, at).get("/configuration", ConfigurationPage).items
    if as_json:
        print_models("items", keys)
        return
    table = Table("Key", "Value", "Set for", "What it is")
    for key in keys:
        table.add_row(key.key, _value(key), key.origin or "[dim]nobody[/]", key.description)
    out.print(table)


@config_commands.command("get")
@connected
def get_key(client: "RestClient", name: Name, at: At = "engagement", as_json: bool = False) -> None:
    """Show a key: what counts, where that was set, and where it can be."""
    from contracts.rest_configuration import ConfigurationView

    key = _at(client, at).get(f"/configuration/{name}", ConfigurationView)
    if as_json:
        print_json(key.model_dump(mode="json"))
        return
    where = f"set for the {key.origin}" if key.origin else "the default"
    out.print(f"{key.key} = {_value(key)} ({where})", markup=False, soft_wrap=True)
    levels, readers = ", ".join(key.levels), ", ".join(key.read_by)
    out.print(f"{key.description}. Can be set for: {levels}. Read by: {readers}.", markup=False, soft_wrap=True)


@config_commands.command("set")
@connected
def set_key(
    client: "RestClient",
    name: Name,
    value: Annotated[
        str, typer.Argument(help='JSON, such as true, 500 or ["a"]; else a text. `-` reads it.', show_default=False)
    ],
    reason: Why,
    at: At = "engagement",
    as_json: bool = False,
) -> None:
    """Set a key. Services act on it within seconds; `-` as the value keeps a secret out of the shell's history."""
    from contracts.rest_configuration import ConfigurationBody, ConfigurationView

    given = typer.prompt("Value", hide_input=True) if value == "-" else value
    there = _at(client, at)
    seen = there.get(f"/configuration/{name}", ConfigurationView)
    body = ConfigurationBody.model_construct(value=_parsed(given), reason=reason)
    changed = there.put(f"/configuration/{name}", ConfigurationView, body, headers=_seen(seen))
    _say(changed, as_json=as_json)


@config_commands.command("unset")
@connected
def unset_key(client: "RestClient", name: Name, reason: Why, at: At = "engagement", as_json: bool = False) -> None:
    """Take back what was set: the next level's value counts again, or the default."""
    from contracts.rest_configuration import ConfigurationView

    there = _at(client, at)
    seen = there.get(f"/configuration/{name}", ConfigurationView)
    path = f"/configuration/{name}"
    _say(there.delete(path, ConfigurationView, params={"reason": reason}, headers=_seen(seen)), as_json=as_json)


@config_commands.command("history")
@connected
def show_history(client: "RestClient", name: Name, at: At = "engagement", as_json: bool = False) -> None:
    """Show who changed a key, when, why, and from what to what."""
    from rich.table import Table

    from contracts.rest_configuration import ConfigurationChange
    from services.cli.wording import moment

    changes = list(_at(client, at).items(f"/configuration/{name}/history", ConfigurationChange))
    if as_json:
        print_models("items", changes)
        return
    if not changes:
        out.print(f"Nobody changed {name} for the {at}.", markup=False)
        return
    table = Table("When", "Who", "From", "To", "Why")
    for each in changes:
        old, new = ("a secret",) * 2 if each.secret else (json.dumps(each.old), json.dumps(each.new))
        table.add_row(moment(each.changed_at), each.changed_by, old, new if each.is_set else "not set", each.reason)
    out.print(table)


def _at(client: "RestClient", level: str) -> "RestClient":
    if level == "platform":
        return client.for_platform()
    return client.for_client_account() if level == "client" else client


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        if text[:1] in '[{"':
            wrong_usage(f"{text} begins like JSON and is none.")
        return text


def _seen(key: "ConfigurationView") -> dict[str, str]:
    """What makes a change fail where somebody else was faster."""
    return {"If-Match": f'"{key.version}"'}


def _value(key: "ConfigurationView") -> str:
    if key.secret:
        return "a secret" if key.origin else "not set"
    return json.dumps(key.value, ensure_ascii=False)


def _say(key: "ConfigurationView", *, as_json: bool) -> None:
    if as_json:
        print_json(key.model_dump(mode="json"))
        return
    where = f"as set for the {key.origin}" if key.origin else "the default"
    out.print(f"[green]✓[/] {key.key} is {_value(key)} now, {where}.", soft_wrap=True)
