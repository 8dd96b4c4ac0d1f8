"""`modernize flows create`: a flow of any type, at once, held, or for later."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.flow_commands import FlowTypeName
from services.cli.terminal import out, print_models, program, wrong_usage

if TYPE_CHECKING:
    from contracts.rest import FlowDetail
    from contracts.rest_flows import FlowStart
    from services.cli.rest_client import RestClient

# How long a new flow may take until the orchestrator has it; after that it is only said that it was asked for.
PATIENCE_SECONDS = 10
LOOK_SECONDS = 0.2

# What says on what a flow of a type works: the option, and whether the flow needs it.
_OPTIONS: dict[str, dict[str, bool]] = {
    "discovery": {"import_ids": True, "then": False},
    "assessment": {"discovery_flow_id": True, "then": False},
    "planning": {"assessment_flow_id": True},
    "collection": {"discovery_flow_id": True, "fields": False},
    "modernization": {"repository_url": True, "branch": False, "goals": False},
}
_FLAGS = {
    "import_ids": "--import",
    "discovery_flow_id": "--discovery",
    "assessment_flow_id": "--assessment",
    "fields": "--field",
    "repository_url": "--repository",
    "goals": "--goal",
}
_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%z"]


@connected
def create(
    client: "RestClient",
    flow_type: Annotated[FlowTypeName, typer.Argument(metavar="TYPE", help="Type of the flow.", show_default=False)],
    import_ids: Annotated[
        list[UUID] | None, typer.Option("--import", help="discovery: an uploaded file's id; repeat for more.")
    ] = None,
    discovery: Annotated[UUID | None, typer.Option(help="assessment, collection: the discovery's flow id.")] = None,
    assessment: Annotated[UUID | None, typer.Option(help="planning: the assessment's flow id.")] = None,
    then: Annotated[
        list[str] | None, typer.Option(help="discovery, assessment: a flow to run afterwards; 'none' for no other.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--field", help="collection: only this canonical field; repeat for more.")
    ] = None,
    repository: Annotated[str | None, typer.Option(help="modernization: address of the repository.")] = None,
    branch: Annotated[str | None, typer.Option(help="modernization: the branch; else main.")] = None,
    goals: Annotated[list[str] | None, typer.Option("--goal", help="modernization: what to reach, in words.")] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Create it only; `flows start` begins it.")] = False,
    start_at: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="Begin no sooner than this, on this machine's clock.")
    ] = None,
    deadline: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="Fail if it has not ended by then.")
    ] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Among waiting flows, higher goes first.")] = 0,
    concurrency_key: Annotated[str | None, typer.Option(help="One flow with this key runs at a time.")] = None,
    correlation_id: Annotated[str | None, typer.Option(help="Your own name for it; `flows find` finds it.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Version of the flow type; else the newest.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end or to a decision.")] = False,
    as_json: bool = False,
) -> None:
    """Create a flow of any type, and start it unless told to hold it."""
    from contracts.rest import FlowDetail

    given = {
        "import_ids": import_ids or None,
        "discovery_flow_id": discovery,
        "assessment_flow_id": assessment,
        "then": None if not then else [] if then == ["none"] else then,
        "fields": fields or None,
        "repository_url": repository,
        "branch": branch,
        "goals": goals or None,
    }
    options = {
        "hold": hold,
        "start_at": start_at.astimezone() if start_at else None,
        "deadline": deadline.astimezone() if deadline else None,
        "priority": priority,
        "concurrency_key": concurrency_key,
        "correlation_id": correlation_id,
        "version": version,
    }
    body = start_of(flow_type, given, options)
    _report(client, client.post("/flows", FlowDetail, body), watch=watch, as_json=as_json)


def start_of(flow_type: str, given: dict[str, Any], options: dict[str, Any]) -> "FlowStart":
    """The request for a flow; raises `CommandFailed` that says which option is missing, wrong or of another type."""
    from pydantic import ValidationError

    from contracts.rest_flows import FlowStart

    named = {name: value for name, value in given.items() if value is not None}
    takes = _OPTIONS[flow_type]
    if foreign := [_flag(name) for name in named if name not in takes]:
        wrong_usage(f"{foreign[0]} says nothing about a {flow_type}. It takes {', '.join(map(_flag, takes))}.")
    if missing := [_flag(name) for name, needed in takes.items() if needed and name not in named]:
        wrong_usage(f"A {flow_type} needs {missing[0]}.")
    try:
        return FlowStart.model_validate({"flow_type": flow_type, **named, "options": options})
    except ValidationError as error:
        first = error.errors()[0]
        place = next((part for part in first["loc"] if part in _OPTIONS[flow_type] or part in options), "the request")
        wrong_usage(f"{_flag(str(place))}: {first['msg']}.")


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def _report(client: "RestClient", asked: "FlowDetail", *, watch: bool, as_json: bool) -> None:
    from services.cli.flow_views import say_how_to_go_on, say_what_waits
    from services.cli.following import follow, raise_for_failed
    from services.cli.wording import waiting, words

    flows = follow(client, asked.flow_id, expected=None) if watch else [_taken(client, asked)]
    raise_for_failed(flows)
    if as_json:
        print_models("flows", flows)
        return
    if watch:
        say_what_waits(flows)
        return
    flow = flows[0]
    what = {"created": "was created", "scheduled": "is scheduled", "queued": "queues"}.get(flow.status, "has started")
    out.print(f"[green]✓[/] The {words(flow.flow_type)} [bold]{flow.flow_id}[/] {what}.", soft_wrap=True)
    if flow.status == "created":
        say_how_to_go_on(flow)
        return
    if flow.waits_for and flow.status in {"scheduled", "queued"}:
        text = f"  It waits for {waiting(flow.waits_for, flow.waits_until)}."
        out.print(text, markup=False, soft_wrap=True)
    out.print(f"  Follow it: {program()} flows watch {flow.flow_id}", soft_wrap=True)


def _taken(client: "RestClient", asked: "FlowDetail") -> "FlowDetail":
    """The flow once the orchestrator has taken it, or as it was asked for if that takes long."""
    from contracts.rest import FlowDetail

    begun = time.monotonic()
    flow = asked
    while flow.revision == 0 and time.monotonic() - begun < PATIENCE_SECONDS:
        time.sleep(LOOK_SECONDS)
        flow = client.get(f"/flows/{asked.flow_id}", FlowDetail)
    return flow
