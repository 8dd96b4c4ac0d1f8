"""`modernize map`: what the columns of a file mean, without a server."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.command import command
from services.cli.terminal import CommandFailed, err, out, print_json

if TYPE_CHECKING:
    from contracts.discovery import TableMapping, TableProfile

MappedFile = Annotated[
    Path,
    typer.Argument(
        help="CSV, Excel, JSON, NDJSON or Parquet, or a ZIP or gzip archive.",
        exists=True,
        dir_okay=False,
        readable=True,
        metavar="FILE",
    ),
]


@command
def map_columns(file: MappedFile, as_json: bool = False) -> None:
    """Propose what the columns of a file mean; needs no running platform."""
    with err.status(f"Reading {file.name} …"):
        mappings = propose_mappings(file)
    if as_json:
        print_json({"columns": columns_for_programs(mappings)})
        return
    from rich.markup import escape

    from services.cli.flow_views import mapping_table
    from services.cli.wording import count, table_name

    for mapping in mappings:
        name = escape(table_name(mapping.file_name, mapping.sheet))
        out.print(mapping_table(mapping.columns, f"{name}  ({mapping.kind})"))
        mapped = sum(column.status == "accepted" for column in mapping.columns)
        doubtful = sum(column.status == "review" for column in mapping.columns)
        rest = len(mapping.columns) - mapped - doubtful
        out.print(f"{count(len(mapping.columns), 'column')}: {mapped} mapped, {doubtful} to review, {rest} unmapped.\n")


def columns_for_programs(mappings: "list[TableMapping]") -> list[dict[str, Any]]:
    """Every column in the file's order; its table too where there are several. `accepted`: nobody needs to look."""
    from services.cli.wording import table_name

    rows = []
    for mapping in mappings:
        table = {"table": table_name(mapping.file_name, mapping.sheet)} if len(mappings) > 1 else {}
        for column in mapping.columns:
            row = column.model_dump(include={"column", "field", "confidence", "unit", "reason", "alternatives"})
            rows.append({**table, **row, "accepted": column.status != "review"})
    return rows


def propose_mappings(path: Path) -> "list[TableMapping]":
    """A proposal for every table of a file; raises `CommandFailed` for a file that cannot be read."""
    from services.field_mapping.matching import propose
    from services.field_mapping.nearness import installed_nearness

    return [propose(table, nearness=installed_nearness()) for table in profiled_tables(path)]


def profiled_tables(path: Path) -> "list[TableProfile]":
    """What the tables of a file look like; raises `CommandFailed` for a file that cannot be read."""
    from contracts.discovery import TableProfile
    from contracts.envelope import BlobRef, uuid7
    from services.field_mapping.profile import profile
    from services.field_mapping.reading import FileRejected, read_tables
    from services.field_mapping.table_kind import table_kind

    try:
        tables = read_tables(path, path.name)
    except FileRejected as error:
        raise CommandFailed(error.problem.detail, **error.problem.model_dump(exclude={"detail"})) from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    source = BlobRef(
        key=str(path), sha256=digest, size_bytes=path.stat().st_size, media_type="application/octet-stream"
    )
    profiled = []
    for table in tables:
        columns = profile(table.frame)
        profiled.append(
            TableProfile(
                table_id=uuid7(),
                import_id=uuid7(),
                file_name=table.file_name,
                sheet=table.sheet,
                kind=table_kind(columns),
                header_row=table.header_row,
                row_count=table.frame.height,
                columns=columns,
                rows=source,
            )
        )
    return profiled
