"""`modernize dead-letters`: events that could not be handled, and what an operator does about them."""

from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.terminal import err, out, print_json, print_models

if TYPE_CHECKING:
    from services.cli.rest_client import RestClient

dead_letter_commands = typer.Typer(help="Events that could not be handled.", no_args_is_help=True)

LetterIds = Annotated[list[UUID], typer.Argument(help="Ids of dead letters.", show_default=False)]
Platform = Annotated[
    bool, typer.Option("--platform", help="Those that belong to no client, such as messages refused at the door.")
]


@dead_letter_commands.command("list")
@connected
def list_dead_letters(
    client: "RestClient",
    status: Annotated[Literal["open", "replayed", "dropped"], typer.Option(help="Which ones.")] = "open",
    platform: Platform = False,
    as_json: bool = False,
) -> None:
    """List dead letters, oldest first."""
    from rich.text import Text

    from contracts.rest import DeadLetterView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    letters = list(_client(client, platform).items("/dead-letters", DeadLetterView, {"status": status}))
    if as_json:
        print_models("dead_letters", letters)
        return
    if not letters:
        out.print(f"There are no {status} dead letters.")
        return
    table = new_table("Dead letter", "Event", "Service", "Attempts", "When", "Reason")
    table.columns[0].no_wrap = True
    for letter in letters:
        when = moment(letter.dead_lettered_at)
        identity = (str(letter.dead_letter_id), letter.event_type, letter.service)
        table.add_row(*identity, str(letter.attempts), when, Text(letter.reason))
    out.print(table)


@dead_letter_commands.command("show")
@connected
def show_dead_letter(
    client: "RestClient",
    dead_letter_id: Annotated[UUID, typer.Argument(help="Id of the dead letter.", show_default=False)],
    platform: Platform = False,
    as_json: bool = False,
) -> None:
    """Show a dead letter with its trace and the event as it came."""
    from contracts.rest import DeadLetterDetail
    from services.cli.wording import count, moment

    letter = _client(client, platform).get(f"/dead-letters/{dead_letter_id}", DeadLetterDetail)
    if as_json:
        print_json(letter.model_dump(mode="json"))
        return
    out.print(f"[bold]{letter.event_type}[/] {letter.event_id}  [yellow]{letter.status}[/]", soft_wrap=True)
    tried = count(letter.attempts, "attempt")
    out.print(f"{letter.queue}, {tried}, dead-lettered {moment(letter.dead_lettered_at)}", soft_wrap=True)
    out.print(f"{letter.code}: {letter.reason}", markup=False, soft_wrap=True)
    if letter.trace:
        out.print(letter.trace, markup=False, style="dim", soft_wrap=True)
    out.print_json(data=letter.message)


@dead_letter_commands.command("replay")
@connected
def replay_dead_letters(
    client: "RestClient", dead_letter_ids: LetterIds, platform: Platform = False, as_json: bool = False
) -> None:
    """Send events to the queues they came from, once what stopped them is mended."""
    _each(_client(client, platform), dead_letter_ids, "replay", as_json=as_json)


@dead_letter_commands.command("drop")
@connected
def drop_dead_letters(
    client: "RestClient", dead_letter_ids: LetterIds, platform: Platform = False, as_json: bool = False
) -> None:
    """Give events up for good; they stay listed as dropped, and in the audit log."""
    _each(_client(client, platform), dead_letter_ids, "drop", as_json=as_json)


def _client(client: "RestClient", platform: bool) -> "RestClient":
    return client.for_platform() if platform else client


def _each(client: "RestClient", ids: list[UUID], action: str, *, as_json: bool) -> None:
    from contracts.rest import DeadLetterView

    done = []
    try:
        for dead_letter_id in ids:
            done.append(client.post(f"/dead-letters/{dead_letter_id}/{action}", DeadLetterView))
            if not as_json:
                out.print(f"[green]✓[/] {done[-1].status.capitalize()}: {done[-1].event_type} {dead_letter_id}")
    finally:
        if as_json:
            print_models("dead_letters", done)
        elif len(done) < len(ids):
            err.print(f"{len(done)} of {len(ids)} were done.")
