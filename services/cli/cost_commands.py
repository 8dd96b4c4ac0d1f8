"""`modernize costs`: what model calls cost."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.cli.command import connected
from services.cli.terminal import out, print_json

if TYPE_CHECKING:
    from services.cli.rest_client import RestClient

_DAY = ["%Y-%m-%d"]


@connected
def costs(
    client: "RestClient",
    by: Annotated[Literal["agent", "model", "flow", "day"], typer.Option(help="What the lines are.")] = "agent",
    since: Annotated[datetime | None, typer.Option(formats=_DAY, help="The first day; else 30 days ago.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_DAY, help="The last day; else today.")] = None,
    as_json: bool = False,
) -> None:
    """Show what model calls cost, by agent, model, flow or day (UTC)."""
    from contracts.rest_agents import CostReport
    from services.cli.flow_views import new_table

    days = {name: f"{day:%Y-%m-%d}" for name, day in (("since", since), ("until", until)) if day is not None}
    found = client.get("/costs", CostReport, {"by": by, **days})
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if not found.total.calls:
        out.print(f"No model was called from {found.since} to {found.until}: rules answered everything, at no cost.")
        return
    table = new_table(by.capitalize(), "Calls", "Cached", "Failed", "Tokens in", "Tokens out", "US$", title=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for line in [*found.lines, found.total]:
        name = "[bold]total[/]" if line is found.total else line.key or "no flow"
        figures = (line.calls, line.cached, line.failed, line.tokens_in, line.tokens_out)
        table.add_row(name, *(f"{figure:,}" for figure in figures), f"{line.cost_usd:.4f}")
    out.print(table)
