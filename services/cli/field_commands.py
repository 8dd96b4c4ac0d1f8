"""`modernize fields`: the fields that columns can be mapped to."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.command import connected
from services.cli.terminal import out, print_json, print_models

if TYPE_CHECKING:
    from contracts.rest_learning import FieldView
    from services.cli.rest_client import RestClient

field_commands = typer.Typer(help="Canonical fields, and fields of your own.", no_args_is_help=True)

FieldId = Annotated[str, typer.Argument(help="Id of the field.", show_default=False)]
Names = Annotated[list[str] | None, typer.Option("--name", help="Another name of it; repeat for more.")]
Description = Annotated[str, typer.Option(help="What it is for.")]


@field_commands.command("list")
@connected
def list_fields(
    client: "RestClient",
    own: Annotated[bool, typer.Option("--own", help="Only fields of your own.")] = False,
    as_json: bool = False,
) -> None:
    """List fields."""
    from rich.text import Text

    from contracts.rest_learning import FieldView
    from services.cli.flow_views import new_table

    fields = [field for field in client.items("/fields", FieldView) if field.own or not own]
    if as_json:
        print_models("fields", fields)
        return
    table = new_table("Field", "Label", "Type", "Unit", "Importance", "Names")
    for each in fields:
        names = ", ".join(each.names)
        table.add_row(each.field_id, Text(each.label), each.type, each.unit or "", each.importance, Text(names))
    out.print(table if fields else "There are no fields of your own. Add one with `modernize fields add LABEL`.")


@field_commands.command("add")
@connected
def add_field(
    client: "RestClient",
    label: Annotated[str, typer.Argument(help="What people call it.", show_default=False)],
    field_id: Annotated[str | None, typer.Option("--id", help="Else made from the label: own_….")] = None,
    kind: Annotated[str, typer.Option("--type", help="string, text, integer, number, boolean, date, …")] = "string",
    names: Names = None,
    description: Description = "",
    as_json: bool = False,
) -> None:
    """Add a field of your own; columns called so are mapped to it."""
    from contracts.rest_learning import FieldView, OwnFieldCreate

    given: dict[str, Any] = {
        "label": label,
        "field_id": field_id,
        "type": kind,
        "names": names or [],
        "description": description,
    }
    _say(client.post("/fields", FieldView, OwnFieldCreate.model_construct(**given)), "Added", as_json=as_json)


@field_commands.command("change")
@connected
def change_field(
    client: "RestClient",
    field_id: FieldId,
    label: Annotated[str, typer.Option(help="What people call it.", show_default=False)],
    kind: Annotated[str, typer.Option("--type", help="string, text, integer, number, boolean, date, …")] = "string",
    names: Names = None,
    description: Description = "",
    as_json: bool = False,
) -> None:
    """Change a field of your own, all of it: what is left out becomes the default again."""
    from contracts.rest_learning import FieldView, OwnFieldBody

    given: dict[str, Any] = {"label": label, "type": kind, "names": names or [], "description": description}
    changed = client.put(f"/fields/{field_id}", FieldView, OwnFieldBody.model_construct(**given))
    _say(changed, "Changed", as_json=as_json)


@field_commands.command("delete")
@connected
def delete_field(client: "RestClient", field_id: FieldId, as_json: bool = False) -> None:
    """Propose a field of your own no more; what assets have of it stays."""
    from contracts.rest_learning import FieldView

    _say(client.delete(f"/fields/{field_id}", FieldView), "Deleted", as_json=as_json)


def _say(field: "FieldView", done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(field.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] {done}: {field.field_id} ({field.label}, {field.type}).", soft_wrap=True)
