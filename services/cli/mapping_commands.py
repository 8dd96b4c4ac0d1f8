"""`modernize mappings`: how the sources of an engagement are mapped, and their templates."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.learn_commands import write_document
from services.cli.terminal import out, print_json, print_models

if TYPE_CHECKING:
    from services.cli.rest_client import RestClient

mapping_commands = typer.Typer(help="Saved mappings, and templates of sources.", no_args_is_help=True)

MappingId = Annotated[UUID, typer.Argument(help="Id of the saved mapping.", show_default=False)]
SourceId = Annotated[UUID, typer.Argument(help="Id of the source.", show_default=False)]


@mapping_commands.command("list")
@connected
def list_mappings(
    client: "RestClient",
    source: Annotated[UUID | None, typer.Option(help="Only headers of this source.")] = None,
    as_json: bool = False,
) -> None:
    """List saved mappings, one for each header of each source."""
    from rich.text import Text

    from contracts.rest_learning import SavedMappingView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    mappings = list(client.items("/mappings", SavedMappingView, {"source_id": source}))
    if as_json:
        print_models("mappings", mappings)
        return
    if not mappings:
        out.print("No mapping is saved yet: each import saves its own.")
        return
    table = new_table("Mapping", "Source", "Kind", "Columns", "Mapped", "Drift", "Saved")
    table.columns[0].no_wrap = True
    for each in sorted(mappings, key=lambda mapping: (mapping.source_name, mapping.saved_at)):
        mapped = sum(column.field is not None for column in each.columns)
        numbers = (f"{len(each.columns):,}", f"{mapped:,}", f"{len(each.drift):,}")
        table.add_row(str(each.mapping_id), Text(each.source_name), each.kind, *numbers, moment(each.saved_at))
    out.print(table)


@mapping_commands.command("show")
@connected
def show_mapping(client: "RestClient", mapping_id: MappingId, as_json: bool = False) -> None:
    """Show a saved mapping, and how its header differs from the one before."""
    from rich.markup import escape

    from contracts.rest_learning import SavedMappingView
    from services.cli.flow_views import mapping_table

    mapping = client.get(f"/mappings/{mapping_id}", SavedMappingView)
    if as_json:
        print_json(mapping.model_dump(mode="json"))
        return
    out.print(mapping_table(mapping.columns, f"{escape(mapping.source_name)}  ({mapping.kind})"))
    for each in mapping.drift:
        out.print(f"  {each.reason}", markup=False, soft_wrap=True)
    for asset_type, fields in mapping.missing_fields.items():
        out.print(f"  Missing for a {asset_type}: {', '.join(fields) or 'nothing'}.", markup=False, soft_wrap=True)
    out.print(f"  Source {mapping.source_id}, from {mapping.file_name}.", markup=False, soft_wrap=True)


@mapping_commands.command("delete")
@connected
def delete_mapping(client: "RestClient", mapping_id: MappingId, as_json: bool = False) -> None:
    """Recognise a header no more; what was taught of its source stays."""
    from contracts.rest_learning import SavedMappingView

    gone = client.delete(f"/mappings/{mapping_id}", SavedMappingView)
    if as_json:
        print_json(gone.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] Deleted: {gone.mapping_id}.", soft_wrap=True)


@mapping_commands.command("sources")
@connected
def list_sources(client: "RestClient", as_json: bool = False) -> None:
    """List the sources that are recognised."""
    from rich.text import Text

    from contracts.rest_learning import TemplateView
    from services.cli.flow_views import new_table

    sources = list(client.items("/templates", TemplateView))
    if as_json:
        print_models("sources", sources)
        return
    if not sources:
        out.print("No source is known yet: each import makes its own known.")
        return
    table = new_table("Source", "Name", "Kind", "File", "Headers", "Columns", "Lessons")
    table.columns[0].no_wrap = True
    for each in sources:
        numbers = (f"{each.headers:,}", f"{each.columns:,}", f"{each.lessons:,}")
        table.add_row(str(each.source_id), Text(each.name), each.kind, Text(each.family), *numbers)
    out.print(table)


@mapping_commands.command("rename")
@connected
def rename_source(
    client: "RestClient",
    source_id: SourceId,
    name: Annotated[str, typer.Argument(help="What to call it.", show_default=False)],
    as_json: bool = False,
) -> None:
    """Call a source otherwise."""
    from contracts.rest_learning import TemplateNameBody, TemplateView

    body = TemplateNameBody.model_construct(name=name)
    template = client.put(f"/templates/{source_id}", TemplateView, body)
    if as_json:
        print_json(template.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] {template.source_id} is {template.name}.", soft_wrap=True)


@mapping_commands.command("export")
@connected
def export_template(
    client: "RestClient",
    source_id: SourceId,
    file: Annotated[Path | None, typer.Argument(help="Where to; else standard output.", dir_okay=False)] = None,
    as_json: bool = False,
) -> None:
    """Write the template of a source as JSON; `modernize learn import` takes it in another engagement."""
    from contracts.learning import LearningDocument

    write_document(client.get(f"/templates/{source_id}", LearningDocument), file, as_json=as_json)
