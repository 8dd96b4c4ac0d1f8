"""`modernize flows`: list, find, show and watch flows, and answer what they ask."""

from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.terminal import CommandFailed, err, out, print_json, print_models, wrong_usage

if TYPE_CHECKING:
    from services.cli.rest_client import RestClient

flow_commands = typer.Typer(
    help="List, find, show and watch flows, approve what they ask, and control them.", no_args_is_help=True
)

Status = Literal["created", "scheduled", "queued", "running", "waiting", "paused", "completed", "failed", "cancelled"]
FlowTypeName = Literal["collection", "discovery", "assessment", "planning", "modernization"]

FlowId = Annotated[UUID, typer.Argument(help="Id of the flow.", show_default=False)]


@flow_commands.command("list")
@connected
def list_flows(
    client: "RestClient",
    status: Annotated[
        Status | None,
        typer.Option(help="Only flows in this state."),
    ] = None,
    flow_type: Annotated[FlowTypeName | None, typer.Option("--type", help="Only flows of this type.")] = None,
    as_json: bool = False,
) -> None:
    """List flows in the order they were started."""
    from contracts.rest import FlowView
    from services.cli.flow_views import flow_table

    flows = list(client.items("/flows", FlowView, {"status": status, "flow_type": flow_type}))
    if as_json:
        print_models("flows", flows)
    elif flows:
        out.print(flow_table(flows))
    else:
        out.print("There are no such flows. Start one with `modernize import FILE`.")


@flow_commands.command("find")
@connected
def find_flows(
    client: "RestClient",
    text: Annotated[
        str,
        typer.Argument(
            help="What you know: part of the name or IP address of an asset, of the name of a file or application, of "
            "the id of an import or flow, or of a correlation id.",
            show_default=False,
        ),
    ],
    as_json: bool = False,
) -> None:
    """Find flows from partial knowledge, and say why each was found."""
    from contracts.rest_flows import FlowMatches
    from services.cli.timeline_view import match_table

    found = client.get("/flows/search", FlowMatches, {"q": text})
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if found.items:
        out.print(match_table(found.items))
    else:
        out.print(f"No flow of this engagement has to do with {text!r}.", markup=False)
    if not found.complete:
        out.print("[yellow]There may be more.[/] Say more of what you look for.")


@flow_commands.command("show")
@connected
def show_flow(
    client: "RestClient",
    flow_id: FlowId,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Also what happened, when, by whom, and what it waited for.")
    ] = False,
    as_json: bool = False,
) -> None:
    """Show a flow: its phases, what it waits for, what it found."""
    from contracts.rest import FlowDetail
    from contracts.rest_flows import TimelineItem
    from services.cli.flow_views import flow_view
    from services.cli.timeline_view import fork_hint, timeline_view

    flow = client.get(f"/flows/{flow_id}", FlowDetail)
    items = list(client.items(f"/flows/{flow_id}/timeline", TimelineItem)) if timeline else []
    if as_json:
        happened = {"timeline": [item.model_dump(mode="json") for item in items]} if timeline else {}
        print_json({**flow.model_dump(mode="json"), **happened})
        return
    out.print(flow_view(flow))
    if timeline:
        out.print(timeline_view(items))
        if hint := fork_hint(flow_id, items):
            out.print(hint, soft_wrap=True)


@flow_commands.command("watch")
@connected
def watch_flow(client: "RestClient", flow_id: FlowId, as_json: bool = False) -> None:
    """Follow a flow and those that it starts, to their end or to a decision."""
    from services.cli.flow_views import say_what_waits
    from services.cli.following import follow, raise_for_failed

    flows = follow(client, flow_id, expected=None)
    raise_for_failed(flows)
    if as_json:
        print_models("flows", flows)
    else:
        say_what_waits(flows)


@flow_commands.command("approve")
@connected
def approve_flow(
    client: "RestClient",
    flow_id: FlowId,
    reject: Annotated[bool, typer.Option("--reject", help="Reject instead: the flow is cancelled.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only show what is asked.")] = False,
    edit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=FIELD",
            help="Map a column otherwise; no FIELD means to nothing, 'RAM=in MB' corrects the unit. FILE:COLUMN=FIELD "
            "where two files have it.",
        ),
    ] = None,
    comment: Annotated[str | None, typer.Option(help="Kept with the decision.")] = None,
    as_json: bool = False,
) -> None:
    """Answer what a flow asks; shows what that is."""
    from contracts.rest import ApprovalDecisionBody, ApprovalView, FlowDetail
    from services.cli.approval_views import approval_view
    from services.cli.mapping_edits import edits_by_table
    from services.cli.wording import moment

    if reject and edit:
        wrong_usage("--edit changes what is approved, so it does not go with --reject.")
    flow = client.get(f"/flows/{flow_id}", FlowDetail)
    asked = [client.get(f"/approvals/{task_id}", ApprovalView) for task_id in flow.pending_approval_ids]
    if not asked:
        waits = f" It waits for {flow.waits_for}." if flow.waits_for else ""
        raise CommandFailed(
            f"The flow {flow_id} asks nothing now: it is {flow.status}.{waits}", code="nothing_to_decide"
        )
    answered = []
    for approval in asked:
        body = ApprovalDecisionBody(
            decision="reject" if reject else "edit" if edit else "approve",
            edits=edits_by_table(edit or [], approval),
            comment=comment,
        )
        if not as_json:
            err.print(f"[yellow]⏸[/] [bold]{approval.title[:1].upper()}{approval.title[1:]}[/]")
            err.print(approval_view(approval))
            if approval.expires_at is not None:
                first = f"{approval.assignee} is asked first. " if approval.assignee else ""
                err.print(f"{first}To be decided until {moment(approval.expires_at)}.", style="dim", markup=False)
        if not show:
            answered.append(client.post(f"/approvals/{approval.task_id}/decision", ApprovalView, body))
    if as_json:
        print_models("approvals", asked if show else answered)
    for approval in [] if as_json else answered:
        edits = f" with {len(edit)} changed" if edit else ""
        left = "Edited, and left to somebody else to approve" if approval.status == "pending" else None
        out.print(f"[green]✓[/] {left or approval.status.capitalize() + edits}: {approval.title}.")
