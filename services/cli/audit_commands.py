"""`modernize audit`: read the log, take it away, and prove that nobody changed it."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from services.cli.answering import answered
from services.cli.audit_proofs import checked_offline, proven, text_of
from services.cli.command import connected, connected_unless
from services.cli.terminal import CommandFailed, out, print_json, print_models, wrong_usage

if TYPE_CHECKING:
    from contracts.rest import AuditVerificationView
    from contracts.rest_audit import AuditEntriesBody, AuditEntriesView, AuditExportView, AuditRequestView, FoundEntries
    from services.cli.rest_client import RestClient

    Answer = TypeVar("Answer", AuditVerificationView, AuditEntriesView, AuditExportView, AuditRequestView)

audit_commands = typer.Typer(help="The audit log.", no_args_is_help=True)

# Checking a million entries takes seconds; silence for this long means that nobody checks.
PATIENCE_SECONDS = 600

Time = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], show_default=False)
]
Kept = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", help="A checkpoint that you kept: it must be part of the log.", show_default=False),
]


@audit_commands.callback()
def audit() -> None:
    """The audit log."""


@audit_commands.command("list")
@connected
def list_entries(
    client: "RestClient",
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type, such as approval.decided.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Only what this person, key or user id did.")] = None,
    flow: Annotated[UUID | None, typer.Option(help="Only of this flow.")] = None,
    since: Time = None,
    until: Time = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Begin with the oldest.")] = False,
    after: Annotated[int | None, typer.Option(min=1, help="Go on after the entry of this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many entries.")] = 50,
    as_json: bool = False,
) -> None:
    """List entries, newest first. Times are those of this machine."""
    from contracts.rest_audit import AuditEntriesBody
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    body = AuditEntriesBody(
        types=type_ or [],
        flow_id=flow,
        actor=by,
        since=since.astimezone() if since else None,
        until=until.astimezone() if until else None,
        order="oldest_first" if oldest_first else "newest_first",
        after=after,
        limit=limit,
    )
    found = _found(client, body)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if not found.entries:
        out.print("No entry of the log fits.")
        return
    table = new_table("Entry", "When", "Event", "By", "Flow")
    table.columns[0].justify = "right"
    for entry in found.entries:
        when = moment(entry.happened_at) if entry.happened_at else ""
        table.add_row(f"{entry.seq}", when, entry.event_type, entry.actor or "", str(entry.flow_id or ""))
    out.print(table)
    if found.next_after is not None:
        out.print(f"There are more: go on with --after {found.next_after}.", style="dim")


@audit_commands.command("show")
@connected
def show_entry(
    client: "RestClient",
    seq: Annotated[int, typer.Argument(min=1, help="Number of the entry.", show_default=False)],
    as_json: bool = False,
) -> None:
    """Show an entry whole, with the proof that a signed checkpoint covers it."""
    import json

    from contracts.rest_audit import AuditEntriesBody

    found = _found(client, AuditEntriesBody(seq=seq))
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if not found.entries:
        raise CommandFailed(f"The log has no entry {seq}.", code="entry_not_found")
    [entry] = found.entries
    out.print_json(json.dumps(json.loads(entry.record)))
    out.print(f"Hash {entry.hash}", style="dim", soft_wrap=True)
    out.print(proven(found), markup=False, soft_wrap=True)


@audit_commands.command("export")
@connected
def export(
    client: "RestClient",
    target: Annotated[Path, typer.Argument(help="The ZIP file to write.", show_default=False)],
    as_json: bool = False,
) -> None:
    """Sign the log and write it to a file that `audit verify FILE` checks without this platform."""
    from contracts.rest_audit import AuditExportView
    from services.cli.wording import count, size

    _sign(client)
    asked = client.post("/audit/exports", AuditExportView)
    path = f"/audit/exports/{asked.request_id}"
    done = _done("Writing the export …", client, path, AuditExportView)
    client.download(f"{path}/file", target)
    if as_json:
        print_json({"file": str(target), **done.model_dump(mode="json")})
        return
    what = f"{count(done.entries or 0, 'entry', 'entries')}, {count(done.checkpoints or 0, 'checkpoint')}"
    out.print(f"[green]✓[/] {what}, {size(done.size_bytes or 0)} in {target}", soft_wrap=True, highlight=False)
    out.print("Keep it with the public keys (`modernize audit keys --output FILE`), and check it with both.")


@audit_commands.command("checkpoints")
@connected
def list_checkpoints(
    client: "RestClient",
    sign: Annotated[bool, typer.Option("--sign", help="Sign the log as it is now, first.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the newest to this file, to keep it elsewhere.")
    ] = None,
    as_json: bool = False,
) -> None:
    """List what was signed of the log: tree heads that a rewritten log does not fit."""
    from contracts.rest_audit import AuditCheckpointView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    if sign:
        _sign(client)
    checkpoints = list(client.items("/audit/checkpoints", AuditCheckpointView))
    if output is not None:
        if not checkpoints:
            raise CommandFailed("Nothing of this log was signed yet. Use --sign.", code="audit_log_not_signed")
        output.write_text(checkpoints[-1].note, encoding="utf-8")
    if as_json:
        print_models("checkpoints", checkpoints)
        return
    if not checkpoints:
        out.print("Nothing of this log was signed yet: it is every minute in which something happens, or with --sign.")
        return
    table = new_table("Entries", "Signed", "Key", "Root")
    table.columns[0].justify = "right"
    for one in checkpoints:
        table.add_row(f"{one.size:,}", moment(one.signed_at), one.key_id, one.root_hash)
    out.print(table)


@audit_commands.command("keys")
@connected
def list_keys(
    client: "RestClient",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write them to this file, to keep it.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Sign with a new key from now on.")] = False,
    as_json: bool = False,
) -> None:
    """List the public keys that checkpoints are verified with."""
    from contracts.rest_audit import AuditKeysView, AuditRequestView

    if replace:
        asked = client.post("/audit/keys", AuditRequestView)
        _done("Making a key …", client, f"/audit/requests/{asked.request_id}", AuditRequestView)
    found = client.get("/audit/keys", AuditKeysView)
    if output is not None:
        output.write_text("".join(f"{key.public_key}\n" for key in found.keys), encoding="utf-8")
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if not found.keys:
        out.print("There is no key yet: the first checkpoint makes one.")
    for key in found.keys:
        out.print(key.public_key, markup=False, soft_wrap=True)


@audit_commands.command("verify")
@connected_unless("file")
def verify(
    client: "RestClient | None",
    file: Annotated[Path | None, typer.Argument(help="An export; without one the platform checks its log.")] = None,
    key: Annotated[
        list[Path] | None, typer.Option(help="File with public keys that you trust, for an export.", show_default=False)
    ] = None,
    checkpoint: Kept = None,
    as_json: bool = False,
) -> None:
    """Check a log from its first entry; exit code 1 if it was tampered with. With FILE this needs no server."""
    kept = [text_of(path) for path in checkpoint or []]
    if client is not None:
        if key:
            wrong_usage("--key is for an export. The platform has its own keys: hold it to a --checkpoint.")
        result = _checked_online(client, kept)
    elif file is None or not key:
        wrong_usage("An export proves nothing by the keys in it: give those that you trust with --key.")
    else:
        result = checked_offline(file, [line for path in key for line in text_of(path).splitlines() if line], kept)
    if as_json:
        print_json(result.model_dump(mode="json", exclude={"verification_id"} if file else None))
    if not result.valid:
        message = f"The audit log is NOT intact: entry {result.broken_at} does not fit. {result.detail}"
        raise CommandFailed(message, code="log_broken")
    if not as_json:
        signed = f"{result.checkpoints or 0:,} checkpoints agree, the newest covers {result.signed or 0:,}."
        out.print(f"[green]✓[/] The audit log is intact: {result.entries or 0:,} entries.", soft_wrap=True)
        out.print(f"  {result.detail} {signed}", markup=False, soft_wrap=True)
        out.print(f"  Head {result.head}", style="dim", soft_wrap=True)


def _checked_online(client: "RestClient", kept: list[str]) -> "AuditVerificationView":
    from contracts.rest import AuditVerificationView
    from contracts.rest_audit import AuditVerificationBody

    asked = client.post("/audit/verifications", AuditVerificationView, AuditVerificationBody(checkpoints=kept))
    return _done(
        "Checking the audit log …", client, f"/audit/verifications/{asked.verification_id}", AuditVerificationView
    )


def _sign(client: "RestClient") -> None:
    from contracts.rest_audit import AuditRequestView

    asked = client.post("/audit/checkpoints", AuditRequestView)
    _done("Signing the log …", client, f"/audit/requests/{asked.request_id}", AuditRequestView)


def _found(client: "RestClient", body: "AuditEntriesBody") -> "FoundEntries":
    from contracts.rest_audit import AuditEntriesView

    asked = client.post("/audit/entries", AuditEntriesView, body)
    done = _done("Reading the audit log …", client, f"/audit/entries/{asked.request_id}", AuditEntriesView)
    assert done.found is not None
    return done.found


def _done(doing: str, client: "RestClient", path: str, model: "type[Answer]") -> "Answer":
    """What was asked of the audit service, once it has answered; raises `CommandFailed` with its problem."""
    late = CommandFailed(
        f"The audit service has not answered in {PATIENCE_SECONDS // 60} minutes. Look whether it runs, and into "
        "`modernize dead-letters list`.",
        code="audit_not_answered",
    )
    found = answered(
        doing, lambda: client.get(path, model), lambda one: one.status == "running", PATIENCE_SECONDS, late
    )
    problem = getattr(found, "problem", None)
    if problem is not None:
        raise CommandFailed(problem.detail, code=problem.code)
    return found
