"""`modernize flows start|pause|resume|cancel|retry|skip|migrate|delete|fork|repair`: what people do with flows."""

import time
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.answering import answered
from services.cli.command import connected
from services.cli.flow_commands import FlowId
from services.cli.terminal import CommandFailed, out, print_json, print_models, program, wrong_usage

if TYPE_CHECKING:
    from contracts.lifecycle import FlowAction
    from contracts.rest import FlowDetail
    from contracts.rest_flows import FlowAccepted, FlowRepairView, FlowRequestView
    from services.cli.rest_client import RestClient

LOOK_SECONDS = 0.2
# The orchestrator answers in milliseconds; silence for this long means that it does not run or is far behind.
PATIENCE_SECONDS = 30

control_commands = typer.Typer(rich_help_panel="Control")

Comment = Annotated[str | None, typer.Option(help="Why; kept in the flow's history.")]
PhaseName = Annotated[str | None, typer.Option(help="Name of the phase; else the one that failed or waits.")]
Watch = Annotated[bool, typer.Option("--watch", help="Then follow the flow to its end or to a decision.")]


@control_commands.command("start")
@connected
def start(
    client: "RestClient", flow_id: FlowId, comment: Comment = None, watch: Watch = False, as_json: bool = False
) -> None:
    """Begin a flow that was created with --hold, or ahead of its time."""
    control(client, flow_id, "start", comment=comment, watch=watch, as_json=as_json)


@control_commands.command("pause")
@connected
def pause(client: "RestClient", flow_id: FlowId, comment: Comment = None, as_json: bool = False) -> None:
    """Let what is being worked on end, and begin nothing new."""
    control(client, flow_id, "pause", comment=comment, as_json=as_json)


@control_commands.command("resume")
@connected
def resume(
    client: "RestClient", flow_id: FlowId, comment: Comment = None, watch: Watch = False, as_json: bool = False
) -> None:
    """Go on with a paused flow."""
    control(client, flow_id, "resume", comment=comment, watch=watch, as_json=as_json)


@control_commands.command("cancel")
@connected
def cancel(client: "RestClient", flow_id: FlowId, comment: Comment = None, as_json: bool = False) -> None:
    """End a flow, and stop the work that is being done for it."""
    control(client, flow_id, "cancel", comment=comment, as_json=as_json)


@control_commands.command("retry")
@connected
def retry(
    client: "RestClient",
    flow_id: FlowId,
    phase: PhaseName = None,
    comment: Comment = None,
    watch: Watch = False,
    as_json: bool = False,
) -> None:
    """Do a phase, and what comes after it, again."""
    control(client, flow_id, "retry", phase=phase, comment=comment, watch=watch, as_json=as_json)


@control_commands.command("skip")
@connected
def skip(
    client: "RestClient",
    flow_id: FlowId,
    phase: PhaseName = None,
    comment: Comment = None,
    watch: Watch = False,
    as_json: bool = False,
) -> None:
    """Go on without a phase that later ones do not need."""
    control(client, flow_id, "skip", phase=phase, comment=comment, watch=watch, as_json=as_json)


@control_commands.command("migrate")
@connected
def migrate(
    client: "RestClient",
    flow_id: FlowId,
    version: Annotated[int | None, typer.Option(min=1, help="The version to go on with; else the newest.")] = None,
    comment: Comment = None,
    as_json: bool = False,
) -> None:
    """Bring a paused or failed flow to another version of its flow type."""
    control(client, flow_id, "migrate", version=version, comment=comment, as_json=as_json)


@control_commands.command("delete")
@connected
def delete(
    client: "RestClient",
    flow_id: FlowId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you are sure.")] = False,
    as_json: bool = False,
) -> None:
    """Remove an ended flow with its history and what it found; the audit log keeps what happened."""
    from contracts.rest import FlowDetail
    from contracts.rest_flows import FlowAccepted
    from services.cli.wording import words

    if as_json and not yes:
        wrong_usage("With --json nobody is asked, so say --yes as well.")
    flow = client.get(f"/flows/{flow_id}", FlowDetail)
    question = f"Remove the {words(flow.flow_type)} {flow_id}, its history and what it found?"
    if not yes and not typer.confirm(question, err=True):
        raise CommandFailed("Nothing was removed.", code="not_confirmed")
    accepted = client.delete(f"/flows/{flow_id}", FlowAccepted)
    outcome(client, accepted)
    if as_json:
        print_json({"deleted": str(flow_id)})
    else:
        out.print(f"[green]✓[/] The {words(flow.flow_type)} {flow_id} is gone.", soft_wrap=True)


@control_commands.command("fork")
@connected
def fork(
    client: "RestClient",
    flow_id: FlowId,
    at: Annotated[
        int,
        typer.Option(
            metavar="SEQ", min=1, help="A checkpoint: its number in `flows show ID --timeline`.", show_default=False
        ),
    ],
    watch: Watch = False,
    as_json: bool = False,
) -> None:
    """Begin a new flow from a checkpoint of another; what was finished then is kept."""
    from contracts.rest_flows import FlowAccepted, FlowForkBody

    accepted = client.post(f"/flows/{flow_id}/fork", FlowAccepted, FlowForkBody(seq=at))
    told = outcome(client, accepted)
    if not as_json:
        out.print(f"[green]✓[/] The flow [bold]{accepted.flow_id}[/] was {told.note}.", soft_wrap=True)
    finish(client, accepted.flow_id, watch=watch, as_json=as_json)


@control_commands.command("repair")
@connected
def repair(
    client: "RestClient",
    flow_id: Annotated[UUID | None, typer.Argument(help="Only this flow; else all of the engagement.")] = None,
    as_json: bool = False,
) -> None:
    """Look for flows whose rows, work or timers disagree, and mend them; safe at any time."""
    from contracts.rest_flows import FlowRepairBody, FlowRepairView
    from services.cli.wording import count

    asked = client.post("/flow-repairs", FlowRepairView, FlowRepairBody(flow_id=flow_id))
    done = _repaired(client, asked)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    looked_at = count(done.flows_checked or 0, "flow")
    if not done.repairs:
        out.print(f"[green]✓[/] Looked at {looked_at}: rows, work and timers agree.")
        return
    out.print(f"[green]✓[/] Looked at {looked_at} and mended {count(len(done.repairs), 'thing')}:")
    for each in done.repairs:
        out.print(f"  {each.flow_id}  {each.code}\n    {each.found}\n    {each.done}", markup=False, soft_wrap=True)


def control(
    client: "RestClient",
    flow_id: UUID,
    action: "FlowAction",
    *,
    phase: str | None = None,
    version: int | None = None,
    comment: str | None = None,
    watch: bool = False,
    as_json: bool,
) -> None:
    """Ask something of a flow, wait until it was done or refused, and say so."""
    from contracts.rest_flows import FlowAccepted, FlowControlBody
    from services.cli.wording import words

    body = FlowControlBody(phase=phase, version=version, comment=comment)
    accepted = client.post(f"/flows/{flow_id}/{action}", FlowAccepted, body)
    told = outcome(client, accepted)
    if not as_json:
        out.print(
            f"[green]✓[/] The {words(accepted.flow_type)} {flow_id} was {told.note}.", markup=True, soft_wrap=True
        )
    finish(client, flow_id, watch=watch, as_json=as_json)


def outcome(client: "RestClient", accepted: "FlowAccepted") -> "FlowRequestView":
    """What became of a request, once that is known; raises `CommandFailed` if it was refused after all."""
    from contracts.rest_flows import FlowRequestView

    path = f"/flows/{accepted.flow_id}/requests/{accepted.request_id}"
    begun = time.monotonic()
    while True:
        try:
            told = client.get(path, FlowRequestView)
        except CommandFailed as failure:
            # Only what was asked to be deleted goes away.
            if failure.members.get("code") != "flow_not_found":
                raise
            return FlowRequestView(request_id=accepted.request_id, status="done", note="deleted")
        if told.status == "refused" and told.problem is not None:
            place = told.problem.model_dump(exclude={"detail"}, exclude_none=True)
            raise CommandFailed(told.problem.detail, flow_id=str(accepted.flow_id), **place)
        if told.status == "done":
            return told
        if time.monotonic() - begun > PATIENCE_SECONDS:
            raise CommandFailed(
                f"The orchestrator has not answered for {PATIENCE_SECONDS} s; it will, once it can. Look whether it "
                f"runs, and then at `{program()} flows show {accepted.flow_id} --timeline`.",
                code="no_outcome",
            )
        time.sleep(LOOK_SECONDS)


def finish(client: "RestClient", flow_id: UUID, *, watch: bool, as_json: bool) -> None:
    """Follow the flow if that was asked for, then say how it stands."""
    from contracts.rest import FlowDetail
    from services.cli.flow_views import say_how_to_go_on, say_what_waits
    from services.cli.following import follow, raise_for_failed

    if watch:
        flows = follow(client, flow_id, expected=None)
        raise_for_failed(flows)
    else:
        flows = [client.get(f"/flows/{flow_id}", FlowDetail)]
    if as_json:
        print_models("flows", flows)
    elif watch:
        say_what_waits(flows)
    else:
        _say_how_it_stands(flows[0])
        say_how_to_go_on(flows[0])


def _say_how_it_stands(flow: "FlowDetail") -> None:
    from services.cli.wording import waiting

    if flow.waits_for and flow.status not in {"created", "paused"}:
        text = f"  It waits for {waiting(flow.waits_for, flow.waits_until)}."
        out.print(text, markup=False, soft_wrap=True)


def _repaired(client: "RestClient", asked: "FlowRepairView") -> "FlowRepairView":
    from contracts.rest_flows import FlowRepairView

    return answered(
        "Looking at the flows …",
        lambda: client.get(f"/flow-repairs/{asked.repair_id}", FlowRepairView),
        lambda found: found.status != "done",
        PATIENCE_SECONDS,
        CommandFailed(
            f"The repair {asked.repair_id} has not ended in {PATIENCE_SECONDS} s. Look whether the "
            f"orchestrator runs, and into `{program()} dead-letters list`.",
            code="repair_not_done",
        ),
    )
