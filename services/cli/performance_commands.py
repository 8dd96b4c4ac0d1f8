"""`modernize performance`: how flows and their phases did."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.command import connected
from services.cli.terminal import out, print_json

if TYPE_CHECKING:
    from contracts.rest_operations import Percentiles
    from services.cli.rest_client import RestClient

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z"]


@connected
def performance(
    client: "RestClient",
    since: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="What ended since then; else the last seven days.")
    ] = None,
    as_json: bool = False,
) -> None:
    """Show success rates, durations, retries and queue times, by flow type and phase."""
    from contracts.rest_operations import PerformanceView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment, percent, words

    asked = {"since": since.astimezone().isoformat()} if since else {}
    found = client.get("/performance", PerformanceView, asked)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if not found.flow_types:
        out.print(f"No flow has run since {moment(found.since)}.")
        return
    table = new_table("", "Ended", "Success", "Retries", "p50", "p95", "p99", "Queued p95", title=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for flow in found.flow_types:
        success = percent(flow.success_rate) if flow.success_rate is not None else ""
        queued = _seconds(flow.queue_time.p95) if flow.queue_time else ""
        live = f" ({flow.live:,} live)" if flow.live else ""
        name = f"[bold]{words(flow.flow_type)}[/]{live}"
        table.add_row(name, f"{flow.runs:,}", success, "", *_took(flow.duration), queued)
        for phase in flow.phases:
            success = percent(phase.success_rate) if phase.success_rate is not None else ""
            name = f"  {words(phase.name)}"
            table.add_row(name, f"{phase.runs:,}", success, f"{phase.retries:,}", *_took(phase.duration), "")
    out.print(f"Since {moment(found.since)}:")
    out.print(table)


def _took(duration: "Percentiles | None") -> tuple[str, str, str]:
    if duration is None:
        return ("", "", "")
    return (_seconds(duration.p50), _seconds(duration.p95), _seconds(duration.p99))


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
