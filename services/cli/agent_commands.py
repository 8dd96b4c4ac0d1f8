"""`modernize agents`: what agents can do, and tasks for them."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.terminal import CommandFailed, out, print_json, print_models

if TYPE_CHECKING:
    from contracts.rest_agents import AgentTaskDetail, AgentTaskView
    from services.cli.rest_client import RestClient

agent_commands = typer.Typer(help="Agents, and tasks for them.", no_args_is_help=True)

TaskId = Annotated[UUID, typer.Argument(help="The task's id.", show_default=False)]
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z"]
_ENDED = ("completed", "failed", "cancelled")
# Beyond a task's own time: what it may wait for its turn while somebody looks on.
PATIENCE_SECONDS = 120.0


@agent_commands.command("list")
@connected
def list_agents(client: "RestClient", as_json: bool = False) -> None:
    """List agents, what they can do and how they are."""
    from contracts.rest_agents import AgentView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment, words

    agents = list(client.items("/agents", AgentView))
    if as_json:
        print_models("items", agents)
        return
    table = new_table("Agent", "Can", "Health", "Last seen", title=None)
    for each in agents:
        table.add_row(each.agent_id, ", ".join(each.capabilities), words(each.health), moment(each.last_seen))
    out.print(table if agents else "No agent has registered yet.")


@agent_commands.command("show")
@connected
def show_agent(
    client: "RestClient",
    agent: Annotated[str, typer.Argument(help="The agent's id.", show_default=False)],
    as_json: bool = False,
) -> None:
    """Show an agent and the schema of what it takes."""
    from contracts.rest_agents import AgentView
    from services.cli.wording import words

    found = client.get(f"/agents/{agent}", AgentView)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    out.print(f"[bold]{found.title}[/] ({found.agent_id}), {words(found.health)}", soft_wrap=True)
    out.print(f"Can: {', '.join(found.capabilities)}; prompts of version {found.prompt_version}", soft_wrap=True)
    out.print("Takes:")
    out.print_json(data=found.input_schema)


@agent_commands.command("run")
@connected
def run_task(
    client: "RestClient",
    inputs: Annotated[str, typer.Option(help="JSON, a file with JSON, or - for standard input.", show_default=False)],
    agent: Annotated[str | None, typer.Argument(help="The agent's id; else whoever has the capability.")] = None,
    capability: Annotated[str | None, typer.Option(help="Which capability it takes.")] = None,
    flow: Annotated[UUID | None, typer.Option(help="Id of the flow that it belongs to.")] = None,
    at: Annotated[datetime | None, typer.Option(formats=_TIMES, help="Not before; else now.")] = None,
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher ones go first.")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds that the agent may take.")] = 45,
    tokens: Annotated[int | None, typer.Option(help="Tokens that models may use; 0: rules alone.")] = None,
    cpu: Annotated[float | None, typer.Option(help="CPU seconds of rules, after which no model is asked.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answer.")] = True,
    as_json: bool = False,
) -> None:
    """Give an agent a task, and show its answer."""
    from contracts.rest_agents import AgentTaskBody, AgentTaskView, CapabilityTaskBody

    if agent is None and capability is None:
        raise CommandFailed("Name an agent, or a --capability. `modernize agents list` shows them.", code="no_agent")
    given: dict[str, Any] = {
        "inputs": json_object(inputs),
        "capability": capability,
        "flow_id": flow,
        "start_at": None if at is None else at.astimezone(),
        "priority": priority,
        "timeout_seconds": timeout,
        "token_budget": tokens,
        "cpu_budget_seconds": cpu,
    }
    # Built without checks: what does not fit is told by the platform, for all clients alike.
    body = (CapabilityTaskBody if agent is None else AgentTaskBody).model_construct(**given)
    path = "/agent-tasks" if agent is None else f"/agents/{agent}/tasks"
    task = client.post(path, AgentTaskView, body)
    if not wait or task.status == "scheduled":
        _say(task, as_json=as_json)
        return
    _say_result(_answer(client, task.task_id, timeout + PATIENCE_SECONDS), as_json=as_json)


@agent_commands.command("tasks")
@connected
def list_tasks(
    client: "RestClient",
    task_id: Annotated[UUID | None, typer.Argument(help="One task, with its answer; else a list.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only tasks of this agent.")] = None,
    capability: Annotated[str | None, typer.Option(help="Only tasks that take this capability.")] = None,
    status: Annotated[str | None, typer.Option(help="Only tasks in this state.")] = None,
    flow: Annotated[UUID | None, typer.Option(help="Only tasks of this flow.")] = None,
    schedule: Annotated[UUID | None, typer.Option(help="Only tasks that this schedule asked for.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    as_json: bool = False,
) -> None:
    """List tasks, the newest first, or show one."""
    from itertools import islice

    from contracts.rest_agents import AgentTaskDetail, AgentTaskView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    if task_id is not None:
        _say_result(client.get(f"/agent-tasks/{task_id}", AgentTaskDetail), as_json=as_json)
        return
    asked = {"agent": agent, "capability": capability, "status": status, "flow_id": flow, "schedule_id": schedule}
    given = {name: str(value) for name, value in asked.items() if value is not None}
    tasks = list(islice(client.items("/agent-tasks", AgentTaskView, given), limit))
    if as_json:
        print_models("items", tasks)
        return
    table = new_table("Task", "Agent", "Capability", "State", "By", "Asked", "Took", title=None)
    for each in tasks:
        took = "" if each.seconds is None else f"{each.seconds:.1f} s"
        by = each.model or each.engine or ""
        asked_at = moment(each.requested_at)
        table.add_row(str(each.task_id), each.agent or "", each.capability, each.status, by, asked_at, took)
    out.print(table if tasks else "There are no such tasks.")


@agent_commands.command("cancel")
@connected
def cancel_task(client: "RestClient", task_id: TaskId, as_json: bool = False) -> None:
    """Take a task back."""
    from contracts.rest_agents import AgentTaskView

    _say(client.post(f"/agent-tasks/{task_id}/cancel", AgentTaskView), as_json=as_json)


@agent_commands.command("retry")
@connected
def retry_task(client: "RestClient", task_id: TaskId, as_json: bool = False) -> None:
    """Try a task that failed or was cancelled again."""
    from contracts.rest_agents import AgentTaskView

    _say(client.post(f"/agent-tasks/{task_id}/retry", AgentTaskView), as_json=as_json)


@agent_commands.command("watch")
@connected
def watch_agents(
    client: "RestClient",
    task: Annotated[UUID | None, typer.Option(help="Only this task.")] = None,
    flow: Annotated[UUID | None, typer.Option(help="Only this flow's tasks.")] = None,
    after: Annotated[int | None, typer.Option(help="Begin after this number; 0 is the oldest that is kept.")] = None,
    seconds: Annotated[float | None, typer.Option(help="For so long; else until Ctrl-C.")] = None,
    as_json: bool = False,
) -> None:
    """Tell what agents do while it happens; with --json one line each."""
    from services.cli.event_stream import follow
    from services.cli.wording import moment

    about = {name: str(value) for name, value in (("task_id", task), ("flow_id", flow)) if value is not None}
    for news in follow(client, "/agent-events", about, after, seconds):
        if as_json:
            print(json.dumps(news), flush=True)
        elif "task" not in news:
            out.print(f"[yellow]…[/] What was told up to number {news['seq']} is not kept any more.")
        else:
            about_task = news["task"]
            progress = about_task["progress"]
            note = f" {progress['done']}/{progress['total']} {progress['message']}" if progress else ""
            who = about_task["agent"] or about_task["capability"]
            at = moment(datetime.fromisoformat(news["at"]))
            out.print(f"{news['seq']:>6} {at} {who} {about_task['status']}{note} [dim]{about_task['task_id']}[/]")


def json_object(given: str) -> dict[str, Any]:
    """The JSON object that an option has, or names; raises `CommandFailed`."""
    try:
        if given == "-":
            given = sys.stdin.read()
        elif given.lstrip()[:1] not in ("{", "["):
            given = Path(given).read_text(encoding="utf-8")
        found = json.loads(given)
    except OSError as error:
        raise CommandFailed(f"--inputs: {given} cannot be read: {error.strerror}.", code="no_inputs") from error
    except ValueError as error:
        raise CommandFailed(f"--inputs is no JSON: {error}.", code="no_inputs") from error
    if not isinstance(found, dict):
        raise CommandFailed('--inputs must be a JSON object, such as {"words": []}.', code="no_inputs")
    return found


def _answer(client: "RestClient", task_id: UUID, patience_seconds: float) -> "AgentTaskDetail":
    from contracts.rest_agents import AgentTaskDetail
    from services.cli.answering import answered

    late = CommandFailed(f"No answer yet. `modernize agents tasks {task_id}` shows it later.", code="no_answer_yet")
    return answered(
        "The agent works",
        lambda: client.get(f"/agent-tasks/{task_id}", AgentTaskDetail),
        lambda task: task.status not in _ENDED,
        patience_seconds,
        late,
    )


def _say(task: "AgentTaskView", *, as_json: bool) -> None:
    if as_json:
        print_json(task.model_dump(mode="json"))
        return
    out.print(f"[green]✓[/] Task {task.task_id} of {task.agent} is {task.status}.", soft_wrap=True)


def _say_result(task: "AgentTaskDetail", *, as_json: bool) -> None:
    if as_json:
        print_json(task.model_dump(mode="json"))
    elif task.result is None:
        reason = f": {task.problem.detail}" if task.problem is not None else "."
        out.print(f"Task {task.task_id} is {task.status}{reason}", soft_wrap=True, markup=False)
    else:
        result = task.result
        out.print_json(data=result.output)
        by = result.model or result.engine
        cost = f", ${result.cost_usd}" if result.cost_usd else ""
        out.print(f"By {by} in {result.seconds:.1f} s, confidence {result.confidence:.0%}{cost}.", soft_wrap=True)
        if result.rationale:
            out.print(result.rationale, soft_wrap=True, markup=False)
        if result.fallback is not None:
            out.print(f"No model answered: {result.fallback.detail}", soft_wrap=True, markup=False)
        for use in result.tools:
            failed = f", {use.failed} of them in vain: {use.problem}" if use.failed else ""
            out.print(f"It called {use.tool} {use.calls} ×{failed}", soft_wrap=True, markup=False)
        for missing in result.tools_missing:
            out.print(missing.detail, soft_wrap=True, markup=False)
    if task.status == "failed":
        raise typer.Exit(1)
