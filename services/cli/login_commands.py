"""`modernize login`, `logout` and `whoami`."""

import sys
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.command import DEFAULT_URL, command, connected
from services.cli.terminal import CommandFailed, out, print_json, wrong_usage

if TYPE_CHECKING:
    from contracts.rest_people import TokensView
    from services.cli.rest_client import RestClient

Url = Annotated[str, typer.Option(envvar="MODERNIZE_URL", help="Address of the gateway.", rich_help_panel="Connection")]
PasswordStdin = Annotated[bool, typer.Option(help="Read the password from standard input, for scripts.")]


@command
def login(
    email: Annotated[str | None, typer.Argument(help="Your mail address; not with --provider.")] = None,
    provider: Annotated[UUID | None, typer.Option(help="Sign in with this login provider, in the browser.")] = None,
    client_account: Annotated[UUID | None, typer.Option(help="The client account that the provider is of.")] = None,
    invitation: Annotated[str | None, typer.Option(help="With --provider: accept this invitation, too.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the browser; else the address is only printed.")] = True,
    password_stdin: PasswordStdin = False,
    url: Url = DEFAULT_URL,
    as_json: bool = False,
) -> None:
    """Sign in; later commands then act as you, until you sign out."""
    from contracts.rest_people import MeView
    from services.cli.kept_session import SessionFile, kept_session
    from services.cli.rest_client import anonymous, read_settings

    if (email is None) == (provider is None):
        wrong_usage("Name your mail address, or with --provider the login provider.")
    url = url.rstrip("/")
    with anonymous(url) as client:
        if provider is None:
            tokens = _with_password(client, str(email), password_stdin=password_stdin)
        else:
            from services.cli.browser_login import with_provider

            tokens = with_provider(client, provider, client_account, invitation, open_browser=browser)
    with anonymous(url, tokens.access_token) as client:
        me = client.get("/me", MeView)
    file = SessionFile(read_settings().data_dir)
    with file.locked():
        file.write(url, kept_session(me.name, tokens))
    if as_json:
        print_json(me.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] Signed in as {me.name} on {url}.", soft_wrap=True)


@command
def logout(
    everywhere: Annotated[bool, typer.Option(help="End all of your sessions, on every machine.")] = False,
    url: Url = DEFAULT_URL,
    as_json: bool = False,
) -> None:
    """Sign out. API keys are not touched."""
    from contracts.rest_people import DoneView, RefreshBody
    from services.cli.kept_session import SessionFile
    from services.cli.rest_client import anonymous, connect, read_settings

    url = url.rstrip("/")
    file = SessionFile(read_settings().data_dir)
    kept = file.read(url)
    if kept is None:
        raise CommandFailed(f"Nobody is signed in on {url} from this folder.", code="not_signed_in")
    if everywhere:
        with connect(url, None, None, None) as client:
            done = client.post("/auth/logout-everywhere", DoneView)
    else:
        with anonymous(url) as client:
            body = RefreshBody.model_validate({"refresh_token": kept.refresh_token})
            done = client.post("/auth/logout", DoneView, body)
    with file.locked():
        file.write(url, None)
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        sessions = f" {done.sessions_ended} sessions ended." if everywhere else ""
        out.print(f"[green]✓[/] Signed out {kept.email}.{sessions}", soft_wrap=True)


@connected
def whoami(client: "RestClient", as_json: bool = False) -> None:
    """Show who you are to the platform, and what you may do here."""
    from contracts.rest_people import MeView
    from services.cli.flow_views import new_table

    me = client.get("/me", MeView)
    if as_json:
        print_json(me.model_dump(mode="json"))
        return
    kind = "a person who signed in" if me.user_id else "an API key"
    out.print(f"[bold]{me.name}[/], {kind}, on {client.url}.", soft_wrap=True)
    if me.memberships:
        table = new_table("Role", "Client account", "Engagement")
        for each in me.memberships:
            everywhere = each.client_account_id.int == 0
            account = "everywhere" if everywhere else str(each.client_account_id)
            engagement = "all" if each.engagement_id.int == 0 else str(each.engagement_id)
            table.add_row(each.role, account, engagement)
        out.print(table)
    out.print("Scopes here: " + (", ".join(me.scopes) or "none") + ".", soft_wrap=True)


def read_password(prompt: str, *, from_stdin: bool, confirm: bool = False, option: str = "--password-stdin") -> str:
    """A secret from the terminal, unseen, or a line of standard input, where `option` was given."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        wrong_usage(f"There is no terminal to ask for the {prompt.lower()}: use {option}.")
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))


def _with_password(client: "RestClient", email: str, *, password_stdin: bool) -> "TokensView":
    from contracts.rest_people import LoginBody, TokensView

    password = read_password("Password", from_stdin=password_stdin)
    body = LoginBody.model_validate({"email": email, "password": password})
    return client.post("/auth/login", TokensView, body)
