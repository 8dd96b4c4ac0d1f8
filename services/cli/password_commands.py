"""`modernize users reset-password` and `set-password`: for who forgot the password."""

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.command import DEFAULT_URL, command, connected
from services.cli.login_commands import PasswordStdin, Url, read_password
from services.cli.terminal import out, print_json, program
from services.cli.user_commands import Person, user_id_of

if TYPE_CHECKING:
    from services.cli.rest_client import RestClient

password_commands = typer.Typer()


@password_commands.command("reset-password")
@connected
def make_reset(
    client: "RestClient",
    user: Person,
    hours: Annotated[int, typer.Option(min=1, max=72, help="For how long the token is good.")] = 24,
    as_json: bool = False,
) -> None:
    """Let a person set another password. The token is shown this once: hand it to that person, and to nobody else."""
    from contracts.rest_people import PasswordResetBody, PasswordResetMadeView
    from services.cli.wording import moment

    of = client.for_platform()
    path = f"/users/{user_id_of(of, user)}/password-reset"
    made = of.post(path, PasswordResetMadeView, PasswordResetBody(hours=hours))
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    out.print(f"[green]✓[/] {made.email} may set another password until {moment(made.expires_at)}.", soft_wrap=True)
    out.print(f"  {made.token}", markup=False, soft_wrap=True)
    out.print(f"  They do so with `{program()} users set-password`, which asks for it.", soft_wrap=True)


@password_commands.command("set-password")
@command
def set_password(
    token: Annotated[
        str,
        typer.Option(
            envvar="MODERNIZE_PASSWORD_RESET", prompt="Token of the reset", hide_input=True, show_default=False
        ),
    ],
    url: Url = DEFAULT_URL,
    password_stdin: PasswordStdin = False,
    as_json: bool = False,
) -> None:
    """Set another password with the token that an operator gave you. All your sessions end."""
    from contracts.rest_people import DoneView, PasswordResetUse
    from services.cli.rest_client import anonymous

    password = read_password("New password", from_stdin=password_stdin, confirm=True)
    body = PasswordResetUse.model_validate({"token": token, "new_password": password})
    with anonymous(url) as client:
        done = client.post("/auth/password-reset", DoneView, body)
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] Your password is set. Sessions that ended: {done.sessions_ended}.", soft_wrap=True)
