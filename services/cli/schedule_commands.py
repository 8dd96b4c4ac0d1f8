"""`modernize schedules`: flows that the clock starts."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.flow_commands import FlowTypeName
from services.cli.terminal import out, print_json, print_models

if TYPE_CHECKING:
    from contracts.rest_operations import ScheduleView
    from services.cli.rest_client import RestClient

schedule_commands = typer.Typer(help="Start flows again and again by the clock.", no_args_is_help=True)

ScheduleId = Annotated[UUID, typer.Argument(help="Id of the schedule.", show_default=False)]


@schedule_commands.command("create")
@connected
def create_schedule(
    client: "RestClient",
    flow_type: Annotated[FlowTypeName, typer.Argument(metavar="TYPE", help="Type of the flows.", show_default=False)],
    cron: Annotated[
        str, typer.Option(help="Minute, hour, day of month, month, day of week: '0 2 * * 1-5'.", show_default=False)
    ],
    name: Annotated[str, typer.Option(help="What people call it.", show_default=False)],
    time_zone: Annotated[str, typer.Option(help="Whose clock: Europe/Berlin, for example.")] = "UTC",
    import_ids: Annotated[
        list[UUID] | None, typer.Option("--import", help="discovery: an uploaded file's id; repeat for more.")
    ] = None,
    discovery: Annotated[UUID | None, typer.Option(help="assessment, collection: the discovery's flow id.")] = None,
    assessment: Annotated[UUID | None, typer.Option(help="planning: the assessment's flow id.")] = None,
    then: Annotated[
        list[str] | None, typer.Option(help="discovery, assessment: a flow to run afterwards; 'none' for no other.")
    ] = None,
    repository: Annotated[str | None, typer.Option(help="modernization: address of the repository.")] = None,
    branch: Annotated[str | None, typer.Option(help="modernization: the branch; else main.")] = None,
    goals: Annotated[list[str] | None, typer.Option("--goal", help="modernization: what to reach, in words.")] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Among waiting flows, higher goes first.")] = 0,
    concurrency_key: Annotated[
        str | None, typer.Option(help="One flow with this key runs at a time: the next waits for the one before.")
    ] = None,
    as_json: bool = False,
) -> None:
    """Have flows of a type started by the clock."""
    from contracts.rest_operations import ScheduleBody, ScheduleView
    from services.cli.flow_create_command import start_of

    given = {
        "import_ids": import_ids or None,
        "discovery_flow_id": discovery,
        "assessment_flow_id": assessment,
        "then": None if not then else [] if then == ["none"] else then,
        "repository_url": repository,
        "branch": branch,
        "goals": goals or None,
    }
    start = start_of(flow_type, given, {"priority": priority, "concurrency_key": concurrency_key})
    body = ScheduleBody.model_construct(name=name, cron=cron, time_zone=time_zone, start=start, enabled=True)
    _say(client.post("/schedules", ScheduleView, body), as_json=as_json)


@schedule_commands.command("list")
@connected
def list_schedules(client: "RestClient", as_json: bool = False) -> None:
    """List schedules."""
    from rich.text import Text

    from contracts.rest_operations import ScheduleView
    from services.cli.flow_views import new_table
    from services.cli.terminal import program
    from services.cli.wording import moment

    schedules = list(client.items("/schedules", ScheduleView))
    if as_json:
        print_models("schedules", schedules)
        return
    if not schedules:
        out.print(f"There are no schedules. Make one with `{program()} schedules create`.")
        return
    table = new_table("Schedule", "Name", "Starts", "Cron", "Time zone", "Next")
    table.columns[0].no_wrap = True
    for each in schedules:
        next_at = moment(each.next_at) if each.next_at else "off"
        kind = str(each.start.get("flow_type"))
        table.add_row(str(each.schedule_id), Text(each.name), kind, Text(each.cron), each.time_zone, next_at)
    out.print(table)


@schedule_commands.command("show")
@connected
def show_schedule(client: "RestClient", schedule_id: ScheduleId, as_json: bool = False) -> None:
    """Show a schedule and the newest flows that it started."""
    from contracts.rest_operations import ScheduleDetail

    schedule = client.get(f"/schedules/{schedule_id}", ScheduleDetail)
    if as_json:
        print_json(schedule.model_dump(mode="json"))
        return
    _say(schedule, as_json=False)
    out.print(f"  Saved by {schedule.saved_by}. It has started:", markup=False, soft_wrap=True)
    for flow_id in schedule.flow_ids:
        out.print(f"  {flow_id}")
    if not schedule.flow_ids:
        out.print("  nothing yet")


@schedule_commands.command("enable")
@connected
def enable_schedule(client: "RestClient", schedule_id: ScheduleId, as_json: bool = False) -> None:
    """Switch a schedule on again; what it missed meanwhile is not made up for."""
    _switch(client, schedule_id, enabled=True, as_json=as_json)


@schedule_commands.command("disable")
@connected
def disable_schedule(client: "RestClient", schedule_id: ScheduleId, as_json: bool = False) -> None:
    """Switch a schedule off; flows that it started go on."""
    _switch(client, schedule_id, enabled=False, as_json=as_json)


@schedule_commands.command("delete")
@connected
def delete_schedule(client: "RestClient", schedule_id: ScheduleId, as_json: bool = False) -> None:
    """Delete a schedule; flows that it started go on."""
    from contracts.rest_operations import ScheduleDetail

    gone = client.delete(f"/schedules/{schedule_id}", ScheduleDetail)
    if as_json:
        print_json(gone.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] Deleted: {gone.schedule_id}.")


def _switch(client: "RestClient", schedule_id: UUID, *, enabled: bool, as_json: bool) -> None:
    from contracts.rest_operations import ScheduleBody, ScheduleView

    schedule = client.get(f"/schedules/{schedule_id}", ScheduleView)
    kept = schedule.model_dump(include=set(ScheduleBody.model_fields))
    body = ScheduleBody.model_validate({**kept, "enabled": enabled})
    _say(client.put(f"/schedules/{schedule_id}", ScheduleView, body), as_json=as_json)


def _say(schedule: "ScheduleView", *, as_json: bool) -> None:
    from services.cli.wording import moment

    if as_json:
        print_json(schedule.model_dump(mode="json"))
        return
    when = f"next at {moment(schedule.next_at)}" if schedule.next_at else "switched off"
    what = f"{schedule.start.get('flow_type')} at {schedule.cron} {schedule.time_zone}"
    out.print(f"[green]✓[/] {schedule.schedule_id}", soft_wrap=True)
    out.print(f"  {schedule.name}: {what}, {when}.", markup=False, soft_wrap=True)
