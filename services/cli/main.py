"""The `modernize` command. Modules with heavy imports are loaded by the command that needs them."""

import typer

from services.cli.asset_commands import asset_commands
from services.cli.audit_commands import audit_commands
from services.cli.catalog_command import catalog
from services.cli.dead_letter_commands import dead_letter_commands
from services.cli.demo_command import demo
from services.cli.field_commands import field_commands
from services.cli.flow_commands import flow_commands
from services.cli.flow_control_commands import control_commands
from services.cli.flow_create_command import create
from services.cli.import_command import import_files
from services.cli.learn_commands import learn_commands
from services.cli.limit_commands import limit_commands
from services.cli.map_command import map_columns
from services.cli.mapping_commands import mapping_commands
from services.cli.performance_commands import performance
from services.cli.platform_commands import migrate, service, up
from services.cli.quality_command import quality
from services.cli.schedule_commands import schedule_commands
from services.cli.technology_command import technology

app = typer.Typer(
    name="modernize",
    help="From a messy inventory export to an approved, explained, wave-by-wave cloud migration plan.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel="Start here")(demo)
app.command(rich_help_panel="Start here")(up)
app.command("import", rich_help_panel="Work with the platform")(import_files)
flow_commands.command()(create)
flow_commands.add_typer(control_commands)
app.add_typer(flow_commands, name="flows", rich_help_panel="Work with the platform")
app.add_typer(schedule_commands, name="schedules", rich_help_panel="Work with the platform")
app.add_typer(asset_commands, name="assets", rich_help_panel="Work with the platform")
app.add_typer(mapping_commands, name="mappings", rich_help_panel="Work with the platform")
app.add_typer(learn_commands, name="learn", rich_help_panel="Work with the platform")
app.add_typer(field_commands, name="fields", rich_help_panel="Work with the platform")
app.command(rich_help_panel="Work with the platform")(quality)
app.command("map", rich_help_panel="Work with the platform")(map_columns)
app.command(rich_help_panel="Work with the platform")(catalog)
app.command(rich_help_panel="Work with the platform")(technology)
app.command(rich_help_panel="Operate it")(performance)
app.add_typer(limit_commands, name="limits", rich_help_panel="Operate it")
app.add_typer(dead_letter_commands, name="dead-letters", rich_help_panel="Operate it")
app.add_typer(audit_commands, name="audit", rich_help_panel="Operate it")
app.command(rich_help_panel="Operate it")(service)
app.command(rich_help_panel="Operate it")(migrate)
