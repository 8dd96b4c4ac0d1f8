"""`modernize keys`: what other systems show to be let in."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.command import connected
from services.cli.terminal import out, print_json, print_models, wrong_usage

if TYPE_CHECKING:
    from contracts.rest_keys import ApiKeyMade, ApiKeyView
    from services.cli.rest_client import RestClient

key_commands = typer.Typer(help="Let other systems in, and out again.", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(help="Id of the key; `keys list` has it.", show_default=False)]
OfPlatform = Annotated[
    bool, typer.Option("--platform", help="Of the platform as a whole, instead of an engagement or a client account.")
]


@key_commands.command("create")
@connected
def create_key(
    client: "RestClient",
    name: Annotated[str, typer.Argument(help="What people call it: the system that gets it.", show_default=False)],
    role: Annotated[str, typer.Option(help="What it may do at most: viewer, analyst, client_admin, …")] = (
        "service_account"
    ),
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="Of the role's scopes only this; repeat for more.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="For how long; else until it is revoked.")] = None,
    platform: OfPlatform = False,
    as_json: bool = False,
) -> None:
    """Make a key for the engagement, or with --client-account alone for all engagements of a client."""
    from contracts.rest_keys import ApiKeyBody, ApiKeyMade

    ends = None if days is None else datetime.now(UTC) + timedelta(days=days)
    body = ApiKeyBody.model_construct(name=name, role=role, scopes=scopes or None, expires_at=ends)  # type: ignore[arg-type]  # the gateway says what is wrong
    _say_made(_at(client, platform).post("/keys", ApiKeyMade, body), as_json=as_json)


@key_commands.command("list")
@connected
def list_keys(client: "RestClient", platform: OfPlatform = False, as_json: bool = False) -> None:
    """List the keys of the engagement, of a client account, or of the platform."""
    from rich.text import Text

    from contracts.rest_keys import ApiKeyView
    from services.cli.flow_views import new_table
    from services.cli.terminal import program
    from services.cli.wording import moment

    keys = list(_at(client, platform).items("/keys", ApiKeyView))
    if as_json:
        print_models("keys", keys)
        return
    if not keys:
        out.print(f"There are no keys here. Make one with `{program()} keys create NAME`.")
        return
    table = new_table("Name", "Role", "Scopes", "Last used", "State", "Key")
    for key in keys:
        used = "never" if key.last_used_at is None else moment(key.last_used_at)
        table.add_row(Text(key.name), key.role, str(len(key.scopes)), used, Text(_state(key)), key.key_id)
    out.print(table)
    left = [key for key in keys if key.maker_left and counts(key)]
    if left:
        out.print(
            f"[yellow]![/] Made by somebody who left, and still good: {len(left)}. Give such a key to nobody new: "
            f"`{program()} keys rotate KEY` makes it yours, `{program()} keys revoke KEY` ends it.",
            soft_wrap=True,
        )


@key_commands.command("show")
@connected
def show_key(client: "RestClient", key_id: KeyId, platform: OfPlatform = False, as_json: bool = False) -> None:
    """Show what a key may do and when it was last used."""
    from contracts.rest_keys import ApiKeyView
    from services.cli.wording import moment

    key = _at(client, platform).get(f"/keys/{key_id}", ApiKeyView)
    if as_json:
        print_json(key.model_dump(mode="json"))
        return
    out.print(f"{key.key_id}  {key.name}: {_state(key)}.", markup=False, soft_wrap=True)
    who = f"{key.created_by_name}, who left since," if key.maker_left else key.created_by_name
    out.print(f"  {key.role}, made by {who} at {moment(key.created_at)}.", markup=False, soft_wrap=True)
    used = "never used" if key.last_used_at is None else f"last used at {moment(key.last_used_at)}"
    out.print(f"  It was {used}.", soft_wrap=True)
    out.print(f"  It may do {', '.join(key.scopes)}.", soft_wrap=True)


@key_commands.command("rotate")
@connected
def rotate_key(
    client: "RestClient",
    key_id: KeyId,
    overlap_hours: Annotated[float, typer.Option(min=0, help="For how long the old key counts, too.")] = 24,
    platform: OfPlatform = False,
    as_json: bool = False,
) -> None:
    """Make a key that takes the place of another, which ends after a while."""
    from contracts.rest_keys import ApiKeyMade, ApiKeyRotation

    body = ApiKeyRotation.model_construct(overlap_hours=overlap_hours)
    _say_made(_at(client, platform).post(f"/keys/{key_id}/rotate", ApiKeyMade, body), as_json=as_json)


@key_commands.command("revoke")
@connected
def revoke_key(client: "RestClient", key_id: KeyId, platform: OfPlatform = False, as_json: bool = False) -> None:
    """End a key at once."""
    from contracts.rest_keys import ApiKeyView

    key = _at(client, platform).delete(f"/keys/{key_id}", ApiKeyView)
    if as_json:
        print_json(key.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] Revoked: {key.key_id}. It is refused from now on, everywhere within 5 seconds.")


@key_commands.command("rotate-signing")
@connected
def rotate_signing(
    client: "RestClient",
    now: Annotated[
        bool, typer.Option("--now", help="End all access tokens. Without it nothing is done: keys rotate monthly.")
    ] = False,
    as_json: bool = False,
) -> None:
    """Revoke the keys that sign people's access tokens, because one may have leaked; sessions go on."""
    from contracts.rest_people import SigningKeysRevokedView

    if not now:
        wrong_usage("Signing keys are replaced by themselves every 30 days. To end all access tokens at once: --now.")
    done = client.for_platform().post("/signing-keys/revocation", SigningKeysRevokedView)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    out.print(f"[green]✓[/] Revoked: {', '.join(done.revoked)}. {done.kid} signs from now on.", soft_wrap=True)
    out.print("  Every access token is refused within 5 seconds; programs get the next one by themselves.")


def _at(client: "RestClient", platform: bool) -> "RestClient":
    return client.for_platform() if platform else client


def counts(key: "ApiKeyView") -> bool:
    """Whether a key is neither revoked nor over."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > datetime.now(UTC))


def _state(key: "ApiKeyView") -> str:
    from services.cli.wording import moment

    if key.revoked_at is not None:
        return f"revoked by {key.revoked_by_name}"
    if key.maker_left and counts(key):
        return "counts; made by somebody who left" + (f", ends at {moment(key.expires_at)}" if key.expires_at else "")
    if key.expires_at is None:
        return "counts until it is revoked"
    if key.expires_at <= datetime.now(UTC):
        return f"ended at {moment(key.expires_at)}"
    return f"counts until {moment(key.expires_at)}" + (f", replaced by {key.replaced_by}" if key.replaced_by else "")


def _say_made(key: "ApiKeyMade", *, as_json: bool) -> None:
    if as_json:
        print_json(key.model_dump(mode="json"))
        return
    out.print(f"[green]✓[/] {key.key_id}  {key.role}, {_state(key)}.", soft_wrap=True)
    # Alone on its line, so that it can be copied whole.
    out.print(key.key, markup=False, soft_wrap=True, highlight=False)
    out.print("[yellow]![/] Keep it now: nobody can show it again.", soft_wrap=True)
