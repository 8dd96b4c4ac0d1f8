"""`modernize agents schedules`: tasks that the clock asks for."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.agent_commands import json_object
from services.cli.command import connected
from services.cli.terminal import out, print_json, print_models

if TYPE_CHECKING:
    from contracts.rest_agents import AgentScheduleView
    from services.cli.rest_client import RestClient

agent_schedule_commands = typer.Typer(help="Ask for tasks again and again by the clock.", no_args_is_help=True)

ScheduleId = Annotated[UUID, typer.Argument(help="Id of the schedule.", show_default=False)]


@agent_schedule_commands.command("create")
@connected
def create_schedule(
    client: "RestClient",
    inputs: Annotated[str, typer.Option(help="JSON, a file with JSON, or - for standard input.", show_default=False)],
    cron: Annotated[
        str, typer.Option(help="Minute, hour, day of month, month, day of week: '0 2 * * 1-5'.", show_default=False)
    ],
    name: Annotated[str, typer.Option(help="What people call it.", show_default=False)],
    agent: Annotated[str | None, typer.Argument(help="The agent's id; else whoever has the capability.")] = None,
    capability: Annotated[str | None, typer.Option(help="Which capability it takes.")] = None,
    time_zone: Annotated[str, typer.Option(help="Whose clock: Europe/Berlin, for example.")] = "UTC",
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher ones go first.")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds that the agent may take.")] = 45,
    tokens: Annotated[int | None, typer.Option(help="Tokens that models may use; 0: rules alone.")] = None,
    cpu: Annotated[float | None, typer.Option(help="CPU seconds of rules, after which no model is asked.")] = None,
    as_json: bool = False,
) -> None:
    """Have a task asked for by the clock."""
    from contracts.rest_agents import AgentScheduleBody, AgentScheduleView

    body = AgentScheduleBody.model_construct(
        name=name,
        cron=cron,
        time_zone=time_zone,
        agent=agent,
        capability=capability,
        inputs=json_object(inputs),
        priority=priority,
        timeout_seconds=timeout,
        token_budget=tokens,
        cpu_budget_seconds=cpu,
    )
    _say(client.post("/agent-schedules", AgentScheduleView, body), as_json=as_json)


@agent_schedule_commands.command("list")
@connected
def list_schedules(client: "RestClient", as_json: bool = False) -> None:
    """List schedules of tasks."""
    from rich.text import Text

    from contracts.rest_agents import AgentScheduleView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    schedules = list(client.items("/agent-schedules", AgentScheduleView))
    if as_json:
        print_models("items", schedules)
        return
    table = new_table("Schedule", "Name", "Asks", "Cron", "Time zone", "Next", "Missed", title=None)
    table.columns[0].no_wrap = True
    for each in schedules:
        next_at = moment(each.next_at) if each.next_at else "paused"
        who = each.agent or each.capability
        table.add_row(
            *(str(each.schedule_id), Text(each.name), who, Text(each.cron), each.time_zone, next_at, str(each.missed))
        )
    out.print(table if schedules else "There are no schedules of tasks.")


@agent_schedule_commands.command("show")
@connected
def show_schedule(client: "RestClient", schedule_id: ScheduleId, as_json: bool = False) -> None:
    """Show a schedule, when it asks next, and for which tasks it has asked."""
    from contracts.rest_agents import AgentScheduleDetail
    from services.cli.wording import moment

    schedule = client.get(f"/agent-schedules/{schedule_id}", AgentScheduleDetail)
    if as_json:
        print_json(schedule.model_dump(mode="json"))
        return
    _say(schedule, as_json=False)
    out.print(f"  Saved by {schedule.saved_by}; times missed: {schedule.missed}.", markup=False, soft_wrap=True)
    for each in schedule.next_runs:
        out.print(f"  will ask at {moment(each)}")
    for task_id in schedule.task_ids:
        out.print(f"  asked for {task_id}")


@agent_schedule_commands.command("pause")
@connected
def pause_schedule(client: "RestClient", schedule_id: ScheduleId, as_json: bool = False) -> None:
    """Ask for no more tasks for now; those that were asked for go on."""
    from contracts.rest_agents import AgentScheduleView

    _say(client.post(f"/agent-schedules/{schedule_id}/pause", AgentScheduleView), as_json=as_json)


@agent_schedule_commands.command("resume")
@connected
def resume_schedule(client: "RestClient", schedule_id: ScheduleId, as_json: bool = False) -> None:
    """Ask for tasks again; what passed meanwhile is not made up for."""
    from contracts.rest_agents import AgentScheduleView

    _say(client.post(f"/agent-schedules/{schedule_id}/resume", AgentScheduleView), as_json=as_json)


@agent_schedule_commands.command("delete")
@connected
def delete_schedule(client: "RestClient", schedule_id: ScheduleId, as_json: bool = False) -> None:
    """Delete a schedule; tasks that it asked for go on."""
    from contracts.rest_agents import AgentScheduleDetail

    gone = client.delete(f"/agent-schedules/{schedule_id}", AgentScheduleDetail)
    if as_json:
        print_json(gone.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] Deleted: {gone.schedule_id}.")


def _say(schedule: "AgentScheduleView", *, as_json: bool) -> None:
    from services.cli.wording import moment

    if as_json:
        print_json(schedule.model_dump(mode="json"))
        return
    when = f"next at {moment(schedule.next_at)}" if schedule.next_at else "paused"
    who = schedule.agent or f"whoever can {schedule.capability}"
    out.print(f"[green]✓[/] {schedule.schedule_id}", soft_wrap=True)
    what = f"{who} at {schedule.cron} {schedule.time_zone}"
    out.print(f"  {schedule.name}: {what}, {when}.", markup=False, soft_wrap=True)
