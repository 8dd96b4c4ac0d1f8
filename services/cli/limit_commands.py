"""`modernize limits`: how much of the platform an engagement may use at once."""

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.command import connected
from services.cli.terminal import out, print_json

if TYPE_CHECKING:
    from contracts.rest_operations import LimitsView
    from services.cli.rest_client import RestClient

limit_commands = typer.Typer(help="How much of the platform an engagement may use.", no_args_is_help=True)


@limit_commands.command("show")
@connected
def show_limits(client: "RestClient", as_json: bool = False) -> None:
    """Show the limits of an engagement."""
    from contracts.rest_operations import LimitsView

    _say(client.get("/limits", LimitsView), as_json=as_json)


@limit_commands.command("set")
@connected
def set_limits(
    client: "RestClient",
    weight: Annotated[int, typer.Option(min=1, max=100, help="Its share where engagements compete.")] = 1,
    running_flows: Annotated[
        int | None, typer.Option(min=1, help="Flows that run at once; else the platform's default.", show_default=False)
    ] = None,
    as_json: bool = False,
) -> None:
    """Set the limits of an engagement, all of them: what is left out becomes the default again."""
    from contracts.rest_operations import LimitsBody, LimitsView

    body = LimitsBody(weight=weight, running_flows=running_flows)
    _say(client.put("/limits", LimitsView, body), as_json=as_json)


def _say(limits: "LimitsView", *, as_json: bool) -> None:
    from services.cli.wording import moment

    if as_json:
        print_json(limits.model_dump(mode="json"))
        return
    flows = f"{limits.running_flows:,}" if limits.running_flows is not None else "the platform's default"
    who = f"Set by {limits.saved_by} {moment(limits.saved_at)}" if limits.saved_at else "Nobody set them"
    out.print(f"Flows at once: {flows}. Weight: {limits.weight}. {who}.", markup=False, soft_wrap=True)
