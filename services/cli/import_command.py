"""`modernize import`: files to the platform, and a flow on them."""

import os
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from services.cli.command import connected
from services.cli.terminal import err, out, print_json, program
from services.cli.wording import size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from contracts.rest import FlowDetail, ImportView
    from services.cli.rest_client import RestClient

CHUNK_BYTES = 1024**2

# The gateway fetches for ten minutes at most.
FETCH_SECONDS = 660.0


def is_address(source: str) -> bool:
    """Whether it is fetched from the web; everything else is a file of this machine."""
    return source.lower().startswith(("https://", "http://"))


def _checked(sources: list[str]) -> list[str]:
    """Before anything is sent: the sources, if each is an address or a file that can be read."""
    for source in sources:
        if not is_address(source) and not (Path(source).is_file() and os.access(source, os.R_OK)):
            raise typer.BadParameter(f"{source} is no file that can be read, and no address that begins with https://")
    return sources


Sources = Annotated[
    list[str],
    typer.Argument(
        help="CSV, Excel, JSON, NDJSON or Parquet files, ZIP or gzip archives of these, or https:// addresses of such.",
        metavar="FILE|URL...",
        show_default=False,
        callback=_checked,
    ),
]


class Then(StrEnum):
    """The last flow to run."""

    none = "none"
    assessment = "assessment"
    planning = "planning"


@connected
def import_files(
    client: "RestClient",
    sources: Sources,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the flows to their end or to a decision.")] = False,
    then: Annotated[
        Then, typer.Option(help="What follows discovery: nothing, assessment, or assessment and planning.")
    ] = Then.planning,
    as_json: bool = False,
) -> None:
    """Import files, from here or from the web, and start a discovery of them."""
    from services.cli.flow_views import say_what_waits
    from services.cli.following import follow, raise_for_failed

    imports = imported(client, sources)
    following = {Then.none: [], Then.assessment: ["assessment"], Then.planning: ["assessment", "planning"]}[then]
    flows = [start_discovery(client, imports, following)]
    if watch:
        flows = follow(client, flows[0].flow_id, expected=1 + len(following))
        raise_for_failed(flows)
    if as_json:
        print_json(
            {
                "imports": [each.model_dump(mode="json") for each in imports],
                "flows": [each.model_dump(mode="json") for each in flows],
            }
        )
        return
    if watch:
        say_what_waits(flows)
        return
    out.print(f"[green]✓[/] The discovery [bold]{flows[0].flow_id}[/] has started.")
    out.print(f"  Follow it: {program()} flows watch {flows[0].flow_id}", soft_wrap=True)


def imported(client: "RestClient", sources: list[str]) -> "list[ImportView]":
    """What became of each source, in their order: files are uploaded, addresses fetched by the platform."""
    uploaded = iter(upload(client, [Path(source) for source in sources if not is_address(source)]))
    return [fetched(client, source) if is_address(source) else next(uploaded) for source in sources]


def fetched(client: "RestClient", address: str) -> "ImportView":
    """A file that the platform fetches itself."""
    import httpx2

    from contracts.rest import ImportFromUrl, ImportView

    host = urlsplit(address).hostname or address
    with err.status(f"The platform fetches a file from {host}"):
        body = ImportFromUrl(url=address)
        made = client.post("/imports/url", ImportView, body, timeout=httpx2.Timeout(FETCH_SECONDS, connect=5))
    err.print(f"[green]✓[/] Fetched {made.file_name} [dim]({size(made.size_bytes)})[/]", soft_wrap=True)
    return made


def upload(client: "RestClient", files: list[Path]) -> "list[ImportView]":
    """Stream files to the platform, with a progress bar on a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from contracts.rest import EngagementView

    # A wrong key is told now and not after gigabytes.
    client.get("/engagements/current", EngagementView)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn())
    imports = []
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        for path in files:
            task = progress.add_task(path.name, total=path.stat().st_size)
            chunks = partial(_chunks, path, partial(_sent, progress, task))
            imports.append(client.upload(path.name, path.stat().st_size, chunks))
            progress.console.print(
                f"[green]✓[/] Uploaded {path.name} [dim]({size(path.stat().st_size)})[/]", soft_wrap=True
            )
    return imports


def start_discovery(client: "RestClient", imports: "list[ImportView]", then: list[str]) -> "FlowDetail":
    """Start a discovery of imported files."""
    from contracts.rest import FlowDetail
    from contracts.rest_flows import FlowStart

    body = FlowStart.model_validate({"import_ids": [each.import_id for each in imports], "then": then})
    return client.post("/flows", FlowDetail, body)


def _chunks(path: Path, sent: Callable[[int], None]) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
            done += len(chunk)
            sent(done)


def _sent(progress: "Progress", task: "TaskID", done: int) -> None:
    progress.update(task, completed=done)
