"""`modernize audit`: proof that nobody changed the log."""

from typing import TYPE_CHECKING

import typer

from services.cli.answering import answered
from services.cli.command import connected
from services.cli.terminal import CommandFailed, out, print_json

if TYPE_CHECKING:
    from services.cli.rest_client import RestClient

audit_commands = typer.Typer(help="The audit log.", no_args_is_help=True)

# Checking a million entries takes seconds; silence for this long means that nobody checks.
PATIENCE_SECONDS = 600


@audit_commands.callback()
def audit() -> None:
    """The audit log."""


@audit_commands.command("verify")
@connected
def verify(client: "RestClient", as_json: bool = False) -> None:
    """Check this engagement's log from its first entry; exit code 1 if it was tampered with."""
    from contracts.rest import AuditVerificationView

    asked = client.post("/audit/verifications", AuditVerificationView)
    result = answered(
        "Checking the audit log …",
        lambda: client.get(f"/audit/verifications/{asked.verification_id}", AuditVerificationView),
        lambda found: found.valid is None,
        PATIENCE_SECONDS,
        CommandFailed(
            f"The check {asked.verification_id} has not ended in {PATIENCE_SECONDS // 60} minutes. Look "
            "whether the audit service runs, and into `modernize dead-letters list`.",
            code="verification_not_done",
        ),
    )
    if as_json:
        print_json(result.model_dump(mode="json"))
    if not result.valid:
        raise CommandFailed(
            f"The audit log is NOT intact: entry {result.broken_at} does not fit. {result.detail}", code="log_broken"
        )
    if not as_json:
        out.print(f"[green]✓[/] The audit log is intact: {result.entries or 0:,} entries.", soft_wrap=True)
        out.print(f"  {result.detail}", markup=False, soft_wrap=True)
        out.print(f"  Head {result.head}", style="dim", soft_wrap=True)
