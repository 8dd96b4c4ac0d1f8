"""`modernize demo`: the whole way from files to a wave plan, on a platform of its own that lives in this process."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.command import command
from services.cli.terminal import CommandFailed, err, out, print_json

if TYPE_CHECKING:
    from contracts.report import Report
    from contracts.rest import FlowDetail
    from services.chassis.settings import Settings
    from services.cli.demo_progress import DemoProgress
    from services.cli.rest_client import RestClient

BUNDLED_EXPORT = Path(__file__).resolve().parents[2] / "deploy" / "demo" / "export"
FORMATS = ("html", "xlsx", "json")
COMMENT = "Approved by `modernize demo`, as proposed."

DemoFiles = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Files of yours, as for import; else the bundled export.", exists=True, dir_okay=False, readable=True
    ),
]


@command
def demo(
    files: DemoFiles = None,
    report: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for the report.")] = Path("report"),
    model: Annotated[
        str | None,
        typer.Option(
            envvar="MODERNIZE_MODEL",
            help="PROVIDER/MODEL that agents ask about doubts; its key is in the provider's own variable, such as "
            "OPENAI_API_KEY, another address in OPENAI_BASE_URL. Else rules decide alone.",
        ),
    ] = None,
    budget: Annotated[float, typer.Option(min=0, help="US dollars that the model may cost in a day.")] = 1.0,
    as_json: bool = False,
) -> None:
    """Take a demo export, or your files, from import to wave plan and report."""
    from services.cli.demo_model import configure, demo_model, loaded, reaching, show_agents
    from services.cli.demo_progress import DemoProgress
    from services.cli.rest_client import api_key_file, connect, read_settings

    begun = time.monotonic()
    chosen = files or bundled_files()
    values = demo_model(model, budget)
    given = read_settings()
    # Nothing that the environment names is touched: the demo brings its own database, bus and key.
    alone = {"database_url": None, "admin_database_url": None, "rabbitmq_url": None, "redis_url": None}
    data_dir = given.data_dir / "demo"
    settings = given.model_copy(
        update={**alone, "blob_url": None, "api_key": None, "data_dir": data_dir, "host": "127.0.0.1", "port": 0}
    )
    settings = reaching(settings, values)
    with contextlib.ExitStack() as stack:
        log_file = stack.enter_context(_logs_in(data_dir, settings))
        loaded(settings, values)
        with err.status("Starting the platform: Postgres, bus, five services, gateway …"):
            from services.cli.embedded import platform_in_background

            platform, portal = stack.enter_context(platform_in_background(settings))
        err.print(f"[green]✓[/] The platform runs on {platform.url} [dim](logs: {log_file})[/]", soft_wrap=True)
        key = api_key_file(settings).read_text(encoding="utf-8").strip()
        client = stack.enter_context(connect(platform.url, key, None, None))
        configure(client, platform, portal, values)
        progress = DemoProgress(data_dir / "demo.json", chosen)
        try:
            flows = _run(client, chosen, progress)
        except KeyboardInterrupt:
            err.print("\n[yellow]Interrupted.[/] Run the demo again, and it goes on where it stopped.")
            raise
        found = _download(client, flows[-1], report)
        progress.ended()
        if as_json:
            print_json(
                {
                    "flows": [flow.model_dump(mode="json") for flow in flows],
                    "report": found.model_dump(mode="json"),
                    "files": [str(report / f"migration-plan.{name}") for name in FORMATS],
                }
            )
            return
        from services.cli.report_view import show_report

        show_report(found)
        show_agents(found.agents, model=bool(values))
    out.print("[bold]Report[/]")
    for name in FORMATS:
        out.print(f"  {report / f'migration-plan.{name}'}", soft_wrap=True)
    out.print(f"[green]✓[/] Done in {time.monotonic() - begun:.0f} s.")


def bundled_files() -> list[Path]:
    """The export that comes with the project; raises `CommandFailed` where only the package is installed."""
    files = sorted(BUNDLED_EXPORT.glob("*.csv"))
    if not files:
        raise CommandFailed(
            "The bundled demo export comes with the project's checkout and is not here. Name files of yours: "
            "modernize demo FILE.",
            code="no_bundled_export",
        )
    return files


@contextlib.contextmanager
def _logs_in(data_dir: Path, settings: "Settings") -> Iterator[Path]:
    """Send this process's logs and warnings to a file, away from what people read."""
    from services.chassis.logs import configure_logs

    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / "platform.log"
    with path.open("a", encoding="utf-8") as file:
        configure_logs(settings.model_copy(update={"log_format": "json"}))
        (handler,) = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        before = handler.setStream(file)
        # A line for each look at a flow would bury what the services say.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        logging.captureWarnings(capture=True)
        try:
            yield path
        finally:
            logging.captureWarnings(capture=False)
            handler.setStream(before or sys.stderr)


def _run(client: "RestClient", files: list[Path], progress: "DemoProgress") -> "list[FlowDetail]":
    from services.cli.following import follow, raise_for_failed
    from services.cli.import_command import start_discovery, upload

    flow_id = progress.unfinished_flow(client)
    if flow_id is None:
        imports = upload(client, files)
        progress.about_to_start(client)
        flow_id = start_discovery(client, imports, ["assessment", "planning"]).flow_id
        progress.started(flow_id)
    else:
        names = ", ".join(path.name for path in files)
        err.print(
            f"[yellow]↻[/] The last demo of {names} did not end. It goes on where it stopped, flow {flow_id}.",
            soft_wrap=True,
        )
    flows = follow(client, flow_id, expected=3, decide=lambda flow: _approve(client, flow))
    if any(flow.status != "completed" for flow in flows):
        progress.ended()
    raise_for_failed(flows)
    return flows


def _approve(client: "RestClient", flow: "FlowDetail") -> None:
    from contracts.rest import ApprovalDecisionBody, ApprovalView
    from services.cli.approval_views import approval_view

    for task_id in flow.pending_approval_ids:
        asked = client.get(f"/approvals/{task_id}", ApprovalView)
        err.print(f"  [yellow]⏸ The flow stops here and asks a person to decide on {asked.title}:[/]")
        err.print(approval_view(asked))
        body = ApprovalDecisionBody(decision="approve", comment=COMMENT)
        client.post(f"/approvals/{task_id}/decision", ApprovalView, body)
        err.print("  [green]▶ The demo answers for that person: approved as proposed.[/] It goes on.")


def _download(client: "RestClient", planning: "FlowDetail", folder: Path) -> "Report":
    from contracts.report import Report

    folder.mkdir(parents=True, exist_ok=True)
    for name in FORMATS:
        client.download(f"/reports/{planning.flow_id}/{name}", folder / f"migration-plan.{name}")
    return Report.model_validate_json((folder / "migration-plan.json").read_bytes())
