"""The `modernize` command. Modules with heavy imports are loaded by the command that needs them."""

import typer

from services.cli.agent_commands import agent_commands
from services.cli.agent_schedule_commands import agent_schedule_commands
from services.cli.asset_commands import asset_commands
from services.cli.audit_commands import audit_commands
from services.cli.catalog_command import catalog
from services.cli.config_commands import config_commands
from services.cli.cost_commands import costs
from services.cli.dead_letter_commands import dead_letter_commands
from services.cli.demo_command import demo
from services.cli.encryption_commands import encryption_commands
from services.cli.field_commands import field_commands
from services.cli.flow_commands import flow_commands
from services.cli.flow_control_commands import control_commands
from services.cli.flow_create_command import create
from services.cli.import_command import import_files
from services.cli.key_commands import key_commands
from services.cli.learn_commands import learn_commands
from services.cli.limit_commands import limit_commands
from services.cli.login_commands import login, logout, whoami
from services.cli.login_provider_commands import login_provider_commands
from services.cli.map_command import map_columns
from services.cli.mapping_commands import mapping_commands
from services.cli.memory_commands import memory_commands
from services.cli.password_commands import password_commands
from services.cli.performance_commands import performance
from services.cli.platform_commands import migrate, service, up
from services.cli.quality_command import quality, readiness
from services.cli.schedule_commands import schedule_commands
from services.cli.technology_command import technology
from services.cli.user_commands import user_commands
from services.cli.webhook_commands import webhook_commands

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
app.command(rich_help_panel="Start here")(login)
app.command(rich_help_panel="Start here")(logout)
app.command(rich_help_panel="Start here")(whoami)
app.command("import", rich_help_panel="Work with the platform")(import_files)
flow_commands.command()(create)
flow_commands.add_typer(control_commands)
app.add_typer(flow_commands, name="flows", rich_help_panel="Work with the platform")
app.add_typer(schedule_commands, name="schedules", rich_help_panel="Work with the platform")
agent_commands.add_typer(agent_schedule_commands, name="schedules")
app.add_typer(agent_commands, name="agents", rich_help_panel="Work with the platform")
app.add_typer(memory_commands, name="memory", rich_help_panel="Work with the platform")
app.add_typer(asset_commands, name="assets", rich_help_panel="Work with the platform")
app.add_typer(mapping_commands, name="mappings", rich_help_panel="Work with the platform")
app.add_typer(learn_commands, name="learn", rich_help_panel="Work with the platform")
app.add_typer(field_commands, name="fields", rich_help_panel="Work with the platform")
app.command(rich_help_panel="Work with the platform")(quality)
app.command(rich_help_panel="Work with the platform")(readiness)
app.command("map", rich_help_panel="Work with the platform")(map_columns)
app.command(rich_help_panel="Work with the platform")(catalog)
app.command(rich_help_panel="Work with the platform")(technology)
app.command(rich_help_panel="Operate it")(performance)
app.command(rich_help_panel="Operate it")(costs)
user_commands.add_typer(password_commands)
app.add_typer(user_commands, name="users", rich_help_panel="Operate it")
app.add_typer(login_provider_commands, name="login-providers", rich_help_panel="Operate it")
app.add_typer(limit_commands, name="limits", rich_help_panel="Operate it")
app.add_typer(config_commands, name="config", rich_help_panel="Operate it")
app.add_typer(key_commands, name="keys", rich_help_panel="Operate it")
app.add_typer(encryption_commands, name="encryption", rich_help_panel="Operate it")
app.add_typer(webhook_commands, name="webhooks", rich_help_panel="Operate it")
app.add_typer(dead_letter_commands, name="dead-letters", rich_help_panel="Operate it")
app.add_typer(audit_commands, name="audit", rich_help_panel="Operate it")
app.command(rich_help_panel="Operate it")(service)
app.command(rich_help_panel="Operate it")(migrate)
