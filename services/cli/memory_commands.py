"""`modernize memory`: what agents remember of what people taught and decided."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.terminal import out, print_json, print_models, wrong_usage

if TYPE_CHECKING:
    from services.cli.rest_client import RestClient

memory_commands = typer.Typer(help="What agents remember, and have it forgotten.", no_args_is_help=True)


@memory_commands.command("list")
@connected
def list_memories(
    client: "RestClient",
    kind: Annotated[str | None, typer.Option(help="lesson, or of decisions field_mapping, readiness, …")] = None,
    agent: Annotated[str | None, typer.Option(help="Only what this agent may recall.")] = None,
    text: Annotated[str | None, typer.Option(help="Part of the text.")] = None,
    as_json: bool = False,
) -> None:
    """List what agents remember."""
    from rich.text import Text

    from contracts.rest_memory import MemoryView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    memories = list(client.items("/memories", MemoryView, {"kind": kind, "agent": agent, "text": text}))
    if as_json:
        print_models("memories", memories)
        return
    table = new_table("Memory", "Kind", "By", "When", "Says")
    table.columns[0].no_wrap = True
    for each in memories:
        table.add_row(str(each.memory_id), each.kind, Text(each.by), moment(each.at), Text(each.text))
    out.print(table if memories else "Agents remember nothing of the kind. What people teach and decide they will.")


@memory_commands.command("show")
@connected
def show_memory(
    client: "RestClient",
    memory_id: Annotated[UUID, typer.Argument(help="Id of the memory.", show_default=False)],
    as_json: bool = False,
) -> None:
    """Show one memory, who said it, and which agents may recall it."""
    from contracts.rest_memory import MemoryView
    from services.cli.wording import moment

    memory = client.get(f"/memories/{memory_id}", MemoryView)
    if as_json:
        print_json(memory.model_dump(mode="json"))
        return
    out.print(memory.text, markup=False, soft_wrap=True)
    said = f"{memory.by}, {moment(memory.at)}, told by {memory.source_type} {memory.source_event}"
    out.print(said, markup=False, soft_wrap=True)
    out.print(f"For {', '.join(memory.agents)}", markup=False, soft_wrap=True)


@memory_commands.command("export")
@connected
def export_memories(
    client: "RestClient",
    file: Annotated[Path | None, typer.Argument(help="Where to; else standard output.", dir_okay=False)] = None,
    as_json: bool = False,
) -> None:
    """Write all that agents remember as JSON."""
    from contracts.rest_memory import MemoryDocument

    document = client.get("/memories/document", MemoryDocument)
    if file is None:
        print_json(document.model_dump(mode="json"))
        return
    file.write_text(document.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json({"file": str(file), "memories": len(document.memories)})
    else:
        out.print(f"[green]✓[/] {file}: {len(document.memories):,} memories.", soft_wrap=True)


@memory_commands.command("forget")
@connected
def forget(
    client: "RestClient",
    memory_id: Annotated[UUID | None, typer.Argument(help="Id of the memory.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of the engagement.")] = False,
    as_json: bool = False,
) -> None:
    """Have one memory forgotten, or all; what was taught stays taught until `learn undo` or `learn forget`."""
    from contracts.rest_memory import ForgottenView
    from services.cli.wording import count

    if (memory_id is None) != everything:
        wrong_usage("Name one memory, or --all.")
    path = "/memories" if memory_id is None else f"/memories/{memory_id}"
    gone = client.delete(path, ForgottenView).forgotten
    if as_json:
        print_json({"forgotten": gone})
    else:
        out.print(f"[green]✓[/] Agents forget {count(gone, 'memory', 'memories')}.", soft_wrap=True)
