"""`modernize webhooks`: other systems that are told of public events over HTTP."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.terminal import out, print_json, print_models

if TYPE_CHECKING:
    from contracts.rest_webhooks import DeliveryView, WebhookView, WebhookWithSecret
    from services.cli.rest_client import RestClient

webhook_commands = typer.Typer(help="Other systems that are told of events over HTTP.", no_args_is_help=True)

WebhookId = Annotated[UUID, typer.Argument(help="The endpoint's id.", show_default=False)]
DeliveryId = Annotated[UUID, typer.Argument(help="The delivery's id.", show_default=False)]
# `--url` is the platform's own address, with every command.
Endpoint = Annotated[str, typer.Argument(help="Where events go: https://…", show_default=False, metavar="URL")]
Types = Annotated[
    list[str] | None,
    typer.Option("--event", help="A public event that it wants; may be repeated. All of them if absent."),
]
Description = Annotated[str, typer.Option(help="What it is, for people.")]


@webhook_commands.command("add")
@connected
def add_webhook(
    client: "RestClient", endpoint: Endpoint, event: Types = None, description: Description = "", as_json: bool = False
) -> None:
    """Add an endpoint. Its secret is shown this once."""
    from contracts.rest_webhooks import WebhookBody, WebhookWithSecret

    body = WebhookBody(url=endpoint, event_types=event or [], description=description)
    _say_secret(client.post("/webhooks", WebhookWithSecret, body), "Added", as_json=as_json)


@webhook_commands.command("list")
@connected
def list_webhooks(client: "RestClient", as_json: bool = False) -> None:
    """List the endpoints and how they do."""
    from rich.table import Table

    from contracts.rest_webhooks import WebhookView

    webhooks = list(client.items("/webhooks", WebhookView))
    if as_json:
        print_models("items", webhooks)
        return
    table = Table("Id", "URL", "Events", "State", "What it is")
    for each in webhooks:
        table.add_row(
            str(each.webhook_id), each.url, ", ".join(each.event_types) or "all", _state(each), each.description
        )
    out.print(table)


@webhook_commands.command("change")
@connected
def change_webhook(
    client: "RestClient",
    webhook_id: WebhookId,
    endpoint: Annotated[str | None, typer.Option(help="Where events go from now on.", show_default=False)] = None,
    event: Types = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it gets events.")] = None,
    as_json: bool = False,
) -> None:
    """Change an endpoint; what is left out stays."""
    from contracts.rest_webhooks import WebhookBody, WebhookView

    known = client.get(f"/webhooks/{webhook_id}", WebhookView)
    given = {"url": endpoint, "event_types": event, "enabled": enabled}
    kept = known.model_dump(include=set(WebhookBody.model_fields))
    body = WebhookBody(**{**kept, **{name: value for name, value in given.items() if value is not None}})
    changed = client.put(f"/webhooks/{webhook_id}", WebhookView, body)
    if as_json:
        print_json(changed.model_dump(mode="json"))
        return
    events = ", ".join(changed.event_types) or "all public events"
    out.print(f"[green]✓[/] {changed.url} gets {events}; it is {_state(changed)}.", soft_wrap=True)


@webhook_commands.command("delete")
@connected
def delete_webhook(client: "RestClient", webhook_id: WebhookId, as_json: bool = False) -> None:
    """Delete an endpoint with its log; nothing more goes there."""
    from contracts.rest_webhooks import WebhookView

    gone = client.delete(f"/webhooks/{webhook_id}", WebhookView)
    if as_json:
        print_json(gone.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] Nothing goes to {gone.url} any more.", soft_wrap=True)


@webhook_commands.command("rotate")
@connected
def rotate_secret(client: "RestClient", webhook_id: WebhookId, as_json: bool = False) -> None:
    """Give an endpoint a new secret. For a day everything is signed with both."""
    from contracts.rest_webhooks import WebhookWithSecret

    _say_secret(client.post(f"/webhooks/{webhook_id}/secret", WebhookWithSecret), "A new secret for", as_json=as_json)


@webhook_commands.command("ping")
@connected
def ping_webhook(client: "RestClient", webhook_id: WebhookId, as_json: bool = False) -> None:
    """Send an endpoint an event that only tries it; `deliveries` and `show` tell what came of it."""
    from contracts.rest_webhooks import DeliveryView

    _say(client.post(f"/webhooks/{webhook_id}/ping", DeliveryView), as_json=as_json)


@webhook_commands.command("deliveries")
@connected
def list_deliveries(
    client: "RestClient",
    webhook_id: WebhookId,
    status: Annotated[str | None, typer.Option(help="Only pending, delivered or failed ones.")] = None,
    as_json: bool = False,
) -> None:
    """List what an endpoint got, or did not, in the last 30 days."""
    from rich.table import Table

    from contracts.rest_webhooks import DeliveryView
    from services.cli.wording import moment

    found = list(client.items(f"/webhooks/{webhook_id}/deliveries", DeliveryView, {"status": status}))
    if as_json:
        print_models("items", found)
        return
    table = Table("Id", "Event", "Happened", "State", "Attempts", "Next")
    for each in found:
        again = moment(each.next_attempt_at) if each.next_attempt_at else ""
        row = (str(each.delivery_id), each.event_type, moment(each.created_at), each.status, str(each.attempts), again)
        table.add_row(*row)
    out.print(table)


@webhook_commands.command("show")
@connected
def show_delivery(client: "RestClient", webhook_id: WebhookId, delivery_id: DeliveryId, as_json: bool = False) -> None:
    """Show a delivery: what is sent, and every attempt with its answer."""
    from rich.table import Table

    from contracts.rest_webhooks import DeliveryDetail
    from services.cli.wording import moment

    found = client.get(f"/webhooks/{webhook_id}/deliveries/{delivery_id}", DeliveryDetail)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    out.print(f"{found.event_type}, sent as {found.event_id}: {found.status}.", markup=False, soft_wrap=True)
    table = Table("Attempt", "When", "Took", "Status", "Why it did not count")
    for each in found.log:
        status, why = str(each.status_code or "no answer"), each.problem or ""
        table.add_row(str(each.number), moment(each.attempted_at), f"{each.duration_ms} ms", status, why)
    out.print(table)


@webhook_commands.command("redeliver")
@connected
def redeliver(client: "RestClient", webhook_id: WebhookId, delivery_id: DeliveryId, as_json: bool = False) -> None:
    """Send an event again, under the same id and as often as a new one."""
    from contracts.rest_webhooks import DeliveryView

    path = f"/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"
    _say(client.post(path, DeliveryView), as_json=as_json)


def _state(webhook: "WebhookView") -> str:
    if not webhook.enabled:
        return f"disabled ({webhook.disabled_reason})" if webhook.disabled_reason else "disabled"
    return "failing" if webhook.failing_since else "enabled"


def _say(delivery: "DeliveryView", *, as_json: bool) -> None:
    if as_json:
        print_json(delivery.model_dump(mode="json"))
        return
    look = f"modernize webhooks show {delivery.webhook_id} {delivery.delivery_id}"
    out.print(f"[green]✓[/] {delivery.event_type} is on its way. What comes of it: {look}", soft_wrap=True)


def _say_secret(webhook: "WebhookWithSecret", done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(webhook.model_dump(mode="json"))
        return
    out.print(f"[green]✓[/] {done} {webhook.url} ({webhook.webhook_id}).", soft_wrap=True)
    out.print(f"Secret, shown this once: {webhook.secret}", markup=False, soft_wrap=True)
