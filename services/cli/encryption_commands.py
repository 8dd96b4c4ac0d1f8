"""`modernize encryption`: the keys that secrets are sealed under, and a new one while the platform runs."""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from services.cli.command import connected
from services.cli.terminal import CommandFailed, err, out, print_json

if TYPE_CHECKING:
    from contracts.rest_encryption import EncryptionView, InventorySealingView
    from services.cli.rest_client import RestClient

encryption_commands = typer.Typer(help="The keys that secrets are sealed under.", no_args_is_help=True)

LOOK_SECONDS = 0.5
V = TypeVar("V", "EncryptionView", "InventorySealingView")


@encryption_commands.command("status")
@connected
def status(client: "RestClient", as_json: bool = False) -> None:
    """Show which keys there are, and how far each service is with sealing under the newest."""
    from contracts.rest_encryption import EncryptionView

    _show(client.get("/encryption", EncryptionView), as_json=as_json)


@encryption_commands.command("rotate")
@connected
def rotate(
    client: "RestClient",
    watch: Annotated[bool, typer.Option(help="Wait until all secrets are sealed anew.")] = True,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait; the work goes on without you.")] = 600,
    as_json: bool = False,
) -> None:
    """Add a key, and have every service seal its secrets anew with it while it works.

    Interrupted, it goes on by itself; `modernize encryption status` tells how far it is.
    """
    from contracts.rest_encryption import EncryptionView, RotationBody

    seen = client.get("/encryption", EncryptionView)
    begun = client.post("/encryption/rotations", EncryptionView, RotationBody(from_version=seen.version))
    _show(_watched(client, patience) if watch else begun, as_json=as_json)


@encryption_commands.command("inventory")
@connected
def inventory(
    client: "RestClient",
    watch: Annotated[bool, typer.Option(help="Wait until everything is as the setting says.")] = False,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait; the work goes on without you.")] = 600,
    as_json: bool = False,
) -> None:
    """Show whether this engagement's host names and addresses are sealed, and how far that is.

    `modernize config set sealed_inventory true` switches it on, `false` off; what is stored follows by itself.
    """
    from contracts.rest_encryption import InventorySealingView

    view = client.get("/inventory-sealing", InventorySealingView)
    if watch and not view.done:
        view = _inventory_watched(client, patience)
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    are = "sealed" if view.sealed else "stored as they are"
    out.print(f"Host names and addresses of this engagement are to be [bold]{are}[/].")
    for each in view.services:
        out.print(f"{each.service}: {each.rows - each.left:,} of {each.rows:,} rows")
    out.print("[green]✓[/] Everything is so." if view.done else "What is stored follows; that goes on by itself.")


def _inventory_watched(client: "RestClient", patience: float) -> "InventorySealingView":
    from contracts.rest_encryption import InventorySealingView

    def rows(view: InventorySealingView) -> tuple[int, int]:
        left = sum(each.left if each.sealed == view.sealed else each.rows for each in view.services)
        return sum(each.rows for each in view.services), left

    too_long = CommandFailed(
        f"After {patience:.0f} s rows are still being changed; that goes on by itself. "
        "`modernize encryption inventory` tells how far it is.",
        code="sealing_goes_on",
    )
    look = partial(client.get, "/inventory-sealing", InventorySealingView)
    return _until_done(look, rows, "Host names and addresses", patience, too_long)


def _watched(client: "RestClient", patience: float) -> "EncryptionView":
    from contracts.rest_encryption import EncryptionView

    def secrets(view: EncryptionView) -> tuple[int, int]:
        left = sum(each.left if each.version == view.version else each.sealed for each in view.services)
        return sum(each.sealed for each in view.services), left

    too_long = CommandFailed(
        f"After {patience:.0f} s secrets are still being sealed anew; that goes on by itself. "
        "`modernize encryption status` tells how far it is.",
        code="rotation_goes_on",
    )
    look = partial(client.get, "/encryption", EncryptionView)
    return _until_done(look, secrets, "Sealing secrets anew", patience, too_long)


def _until_done(
    look: Callable[[], V], counted: Callable[[V], tuple[int, int]], what: str, patience: float, too_long: CommandFailed
) -> V:
    """What `look` sees when it is done, with a bar of how much there is and how much of it is left till then."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    until = time.monotonic() + patience
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        while not (view := look()).done:
            there, left = counted(view)
            bar.update(task, total=there or None, completed=there - left)
            if time.monotonic() > until:
                raise too_long
            time.sleep(LOOK_SECONDS)
    return view


def _show(view: "EncryptionView", *, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    kept = ", ".join(map(str, view.versions))
    out.print(f"Secrets are sealed with version [bold]{view.version}[/] of the key. Versions kept: {kept}.")
    if view.services:
        table = Table("Service", "Version", "Sealed", "Left", "Told at")
        for each in view.services:
            told = each.told_at.strftime("%Y-%m-%d %H:%M:%S")
            table.add_row(each.service, str(each.version), f"{each.sealed:,}", f"{each.left:,}", told)
        out.print(table)
    if view.done:
        out.print("[green]✓[/] No service has a secret that an older version seals.")
    else:
        out.print("Services are sealing their secrets anew; that goes on by itself.")
    for service in view.services:
        for need in service.needed:
            out.print(f"Version {need.version} is still needed for {need.count:,} {need.what} ({service.service}).")
    for version in view.removable:
        out.print(f"Version {version} is needed by nothing here any more: remove it once no backup of before counts.")
