"""`modernize login-providers`: OpenID providers that people sign in with."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.login_commands import read_password
from services.cli.terminal import CommandFailed, out, print_json, print_models, program

if TYPE_CHECKING:
    from contracts.rest_people import LoginProviderBody, LoginProviderView
    from services.cli.rest_client import RestClient

login_provider_commands = typer.Typer(
    help="OpenID providers that people sign in with: the platform's, or with --client-account a client's.",
    no_args_is_help=True,
)

ProviderId = Annotated[UUID, typer.Argument(help="Id of the provider; `login-providers list` has it.")]
SecretStdin = Annotated[
    bool, typer.Option("--secret-stdin", help="Read the client secret from standard input, for scripts.")
]
RedirectUris = Annotated[
    list[str] | None,
    typer.Option("--redirect-uri", help="Where it may send people back to, beside this machine; repeat for more."),
]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", help="Mail domain that it alone vouches for: no invitation needed; repeat for more."),
]


@login_provider_commands.command("list")
@connected
def list_providers(client: "RestClient", as_json: bool = False) -> None:
    """List the providers; a secret is never shown."""
    from rich.text import Text

    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    providers = _all(client)
    if as_json:
        print_models("items", providers)
        return
    if not providers:
        out.print(f"There are no login providers here. Add one with `{program()} login-providers add NAME`.")
        return
    table = new_table("Provider", "Name", "Issuer", "Client", "Secret", "Vouches for", "Saved")
    table.columns[0].no_wrap = True
    for each in providers:
        held = "kept" if each.has_secret else "none"
        domains = Text(", ".join(each.allowed_domains) or "nobody")
        saved = f"{moment(each.saved_at)} by {each.saved_by}"
        row = (Text(each.name), Text(each.issuer), Text(each.client_id), held, domains, Text(saved))
        table.add_row(str(each.provider_id), *row)
    out.print(table)


@login_provider_commands.command("add")
@connected
def add_provider(
    client: "RestClient",
    name: Annotated[str, typer.Argument(help="What people call it.", show_default=False)],
    issuer: Annotated[str, typer.Option(help="Its address, as in its discovery document.", show_default=False)],
    client_id: Annotated[str, typer.Option(help="Id of this platform at the provider.", show_default=False)],
    redirect_uri: RedirectUris = None,
    domain: Domains = None,
    public: Annotated[bool, typer.Option(help="This platform is a public client there: it has no secret.")] = False,
    secret_stdin: SecretStdin = False,
    as_json: bool = False,
) -> None:
    """Add a provider. Its client secret is asked for, and kept sealed."""
    from contracts.rest_people import LoginProviderView

    secret = None if public else _secret(from_stdin=secret_stdin)
    values = {"name": name, "issuer": issuer, "client_id": client_id, "client_secret": secret}
    body = _body({**values, "redirect_uris": redirect_uri or [], "allowed_domains": domain or []})
    _say(client.post(_path(client), LoginProviderView, body), as_json=as_json)


@login_provider_commands.command("change")
@connected
def change_provider(
    client: "RestClient",
    provider_id: ProviderId,
    name: Annotated[str | None, typer.Option(help="What people call it.", show_default=False)] = None,
    issuer: Annotated[str | None, typer.Option(help="Its address.", show_default=False)] = None,
    client_id: Annotated[str | None, typer.Option(help="Id of this platform there.", show_default=False)] = None,
    redirect_uri: RedirectUris = None,
    domain: Domains = None,
    new_secret: Annotated[bool, typer.Option("--new-secret", help="Ask for another client secret.")] = False,
    secret_stdin: SecretStdin = False,
    as_json: bool = False,
) -> None:
    """Change a provider; what is left out stays, the secret too."""
    from contracts.rest_people import LoginProviderBody, LoginProviderView

    known = next((each for each in _all(client) if each.provider_id == provider_id), None)
    if known is None:
        raise CommandFailed(f"There is no login provider {provider_id} here.", code="provider_not_found")
    given = {
        "name": name,
        "issuer": issuer,
        "client_id": client_id,
        "redirect_uris": redirect_uri,
        "allowed_domains": domain,
        "client_secret": _secret(from_stdin=secret_stdin) if new_secret or secret_stdin else None,
    }
    kept = known.model_dump(include=set(LoginProviderBody.model_fields))
    body = _body({**kept, **{field: value for field, value in given.items() if value is not None}})
    _say(client.put(_path(client, provider_id), LoginProviderView, body), as_json=as_json)


@login_provider_commands.command("remove")
@connected
def remove_provider(client: "RestClient", provider_id: ProviderId, as_json: bool = False) -> None:
    """Let nobody in by a provider any more; sessions that are there go on until they end."""
    from contracts.rest_people import DoneView

    done = client.delete(_path(client, provider_id), DoneView)
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] Nobody signs in with {provider_id} any more.", soft_wrap=True)


def _all(client: "RestClient") -> "list[LoginProviderView]":
    from contracts.rest_people import LoginProvidersView

    return client.get(_path(client), LoginProvidersView).items


def _path(client: "RestClient", provider_id: UUID | None = None) -> str:
    """The route, with the client account that the command named."""
    path = "/login-providers" if provider_id is None else f"/login-providers/{provider_id}"
    return path if client.client_account is None else f"{path}?client_account_id={client.client_account}"


def _secret(*, from_stdin: bool) -> str:
    return read_password("Client secret", from_stdin=from_stdin, option="--secret-stdin")


def _body(values: dict[str, object]) -> "LoginProviderBody":
    from pydantic import SecretStr

    from contracts.rest_people import LoginProviderBody

    secret = values.pop("client_secret", None)
    # The gateway says what is wrong.
    return LoginProviderBody.model_construct(
        **values,  # type: ignore[arg-type]
        client_secret=None if secret is None else SecretStr(str(secret)),
    )


def _say(provider: "LoginProviderView", *, as_json: bool) -> None:
    if as_json:
        print_json(provider.model_dump(mode="json"))
        return
    domains = ", ".join(provider.allowed_domains) or "nobody by itself"
    out.print(f"[green]✓[/] {provider.provider_id}  {provider.name}: vouches for {domains}.", soft_wrap=True)
    out.print(f"  People sign in with `{program()} login --provider {provider.provider_id}`.", soft_wrap=True)
