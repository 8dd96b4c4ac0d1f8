"""`modernize users`: people, their invitations and their roles."""

from typing import TYPE_CHECKING, Annotated, get_args
from uuid import UUID

import typer

from contracts.access import Role
from services.cli.command import connected
from services.cli.login_commands import PasswordStdin, read_password
from services.cli.terminal import CommandFailed, out, print_json, print_models, program, wrong_usage

if TYPE_CHECKING:
    from contracts.rest_people import InvitationMade, UserShutOut, UserView
    from services.cli.rest_client import RestClient

user_commands = typer.Typer(help="People: invite them, see them, give and take roles.", no_args_is_help=True)
role_commands = typer.Typer(help="Give and take roles.", no_args_is_help=True)
user_commands.add_typer(role_commands, name="roles")

Person = Annotated[str, typer.Argument(metavar="USER", help="Mail address or id.", show_default=False)]
RoleName = Annotated[
    str, typer.Argument(metavar="ROLE", help=f"One of {', '.join(get_args(Role))}.", show_default=False)
]
Everywhere = Annotated[bool, typer.Option("--platform", help="Of the whole platform, instead of one engagement.")]


@user_commands.command("list")
@connected
def list_users(client: "RestClient", platform: Everywhere = False, as_json: bool = False) -> None:
    """List people with a role that was given in the engagement."""
    from rich.text import Text

    from contracts.rest_people import UserView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    people = list(_of(client, platform=platform).items("/users", UserView))
    if as_json:
        print_models("users", people)
        return
    if not people:
        out.print(f"Nobody has a role here. Invite somebody with `{program()} users invite`.")
        return
    table = new_table("User", "Address", "Name", "Roles here", "Status", "Since")
    table.columns[0].no_wrap = True
    for each in people:
        roles = ", ".join(each.roles) or "none"
        since = moment(each.created_at)
        table.add_row(str(each.user_id), Text(each.email), Text(each.name), roles, each.status, since)
    out.print(table)


@user_commands.command("invite")
@connected
def invite(
    client: "RestClient",
    email: Annotated[str, typer.Argument(help="Mail address.", show_default=False)],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Role))}.", show_default=False)],
    days: Annotated[int, typer.Option(min=1, max=30, help="For how long it can be accepted.")] = 7,
    platform: Everywhere = False,
    as_json: bool = False,
) -> None:
    """Invite somebody. The token is shown this once: hand it to that person, and to nobody else."""
    made = _invite(_of(client, platform=platform), email, role, days)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    from services.cli.wording import moment

    out.print(f"[green]✓[/] {made.email} may join as {made.role} until {moment(made.expires_at)}.", soft_wrap=True)
    out.print(f"  {made.token}", markup=False, soft_wrap=True)
    out.print(f"  They join with `{program()} users join`, which asks for it.", soft_wrap=True)


@user_commands.command("join")
@connected
def join(
    client: "RestClient",
    token: Annotated[
        str, typer.Option(envvar="MODERNIZE_INVITATION", prompt="Invitation", help="The token.", show_default=False)
    ],
    name: Annotated[str | None, typer.Option(help="What people call you.")] = None,
    signed_in: Annotated[bool, typer.Option(help="With the account that you are signed in with.")] = False,
    password_stdin: PasswordStdin = False,
    as_json: bool = False,
) -> None:
    """Accept an invitation: with a new account, or with the one that you are signed in with."""
    from contracts.rest_people import AcceptBody, InvitationTokenBody, JoinedView

    if signed_in:
        body = InvitationTokenBody.model_validate({"token": token})
        joined = client.post("/me/invitations", JoinedView, body)
    else:
        password = read_password("New password", from_stdin=password_stdin, confirm=True)
        accepted = AcceptBody.model_validate({"token": token, "name": name, "password": password})
        joined = client.post("/invitations/accept", JoinedView, accepted)
    if as_json:
        print_json(joined.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] {joined.email} is {joined.role}. Now `{program()} login {joined.email}`.")


@user_commands.command("create-admin")
@connected
def create_admin(
    client: "RestClient",
    email: Annotated[str, typer.Argument(help="Mail address.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="What people call them.")] = None,
    password_stdin: PasswordStdin = False,
    as_json: bool = False,
) -> None:
    """Make an administrator of the platform with the bootstrap key: the first person who can sign in."""
    from contracts.rest_people import AcceptBody, JoinedView

    password = read_password("New password", from_stdin=password_stdin, confirm=True)
    made = _invite(client.for_platform(), email, "platform_admin", 1)
    body = AcceptBody.model_validate({"token": made.token, "name": name, "password": password})
    try:
        joined = client.post("/invitations/accept", JoinedView, body)
    except CommandFailed:
        _withdraw(client, made.invitation_id)
        raise
    if as_json:
        print_json(joined.model_dump(mode="json"))
    else:
        out.print(f"[green]✓[/] {joined.email} administers the platform. Now `{program()} login {joined.email}`.")


@user_commands.command("invitations")
@connected
def invitations(client: "RestClient", platform: Everywhere = False, as_json: bool = False) -> None:
    """List invitations that nobody accepted yet."""
    from rich.text import Text

    from contracts.rest_people import InvitationView
    from services.cli.flow_views import new_table
    from services.cli.wording import moment

    found = list(_of(client, platform=platform).items("/invitations", InvitationView, {"status": "open"}))
    if as_json:
        print_models("invitations", found)
        return
    table = new_table("Invitation", "Address", "Role", "By", "Until")
    for each in found:
        table.add_row(
            str(each.invitation_id), Text(each.email), each.role, Text(each.invited_by), moment(each.expires_at)
        )
    out.print(table if found else "There are no open invitations.")


@user_commands.command("withdraw")
@connected
def withdraw(
    client: "RestClient",
    invitation_id: Annotated[UUID, typer.Argument(help="Id of the invitation.", show_default=False)],
    platform: Everywhere = False,
    as_json: bool = False,
) -> None:
    """Take an invitation back that nobody accepted yet."""
    gone = _withdraw(_of(client, platform=platform), invitation_id)
    if as_json:
        print_json(gone)
    else:
        out.print("[green]✓[/] The invitation is good for nothing any more.")


@user_commands.command("deactivate")
@connected
def deactivate(client: "RestClient", user: Person, platform: Everywhere = False, as_json: bool = False) -> None:
    """Shut a person out of the engagement; with --platform the whole account, whose sessions end."""
    from contracts.rest_people import UserShutOut

    of = _of(client, platform=platform)
    _say_shut_out(of.post(f"/users/{user_id_of(of, user)}/deactivate", UserShutOut), as_json=as_json)


@user_commands.command("reactivate")
@connected
def reactivate(client: "RestClient", user: Person, as_json: bool = False) -> None:
    """Let an account sign in again; its API keys that were revoked stay so."""
    from contracts.rest_people import UserView

    of = client.for_platform()
    _say(of.post(f"/users/{user_id_of(of, user)}/reactivate", UserView), as_json=as_json)


@role_commands.command("give")
@connected
def give(
    client: "RestClient", user: Person, role: RoleName, platform: Everywhere = False, as_json: bool = False
) -> None:
    """Give a person another role."""
    from contracts.rest_people import UserView

    of = _of(client, platform=platform)
    _say(of.put(f"/users/{user_id_of(of, user)}/roles/{role}", UserView, None), as_json=as_json)


@role_commands.command("take")
@connected
def take(
    client: "RestClient", user: Person, role: RoleName, platform: Everywhere = False, as_json: bool = False
) -> None:
    """Take a role from a person."""
    from contracts.rest_people import UserShutOut

    of = _of(client, platform=platform)
    _say_shut_out(of.delete(f"/users/{user_id_of(of, user)}/roles/{role}", UserShutOut), as_json=as_json)


def _of(client: "RestClient", *, platform: bool) -> "RestClient":
    return client.for_platform() if platform else client


def _invite(client: "RestClient", email: str, role: str, days: int) -> "InvitationMade":
    from contracts.rest_people import InvitationBody, InvitationMade

    if role not in get_args(Role):
        wrong_usage(f"There is no role {role}. Use one of {', '.join(get_args(Role))}.")
    body = InvitationBody.model_validate({"email": email, "role": role, "days": days})
    return client.post("/invitations", InvitationMade, body)


def _withdraw(client: "RestClient", invitation_id: UUID) -> dict[str, object]:
    from contracts.rest_people import InvitationView

    return client.delete(f"/invitations/{invitation_id}", InvitationView).model_dump(mode="json")


def user_id_of(client: "RestClient", user: str) -> UUID:
    """The id of a person who is named by it or by the mail address."""
    from contracts.rest_people import UserView

    try:
        return UUID(user)
    except ValueError:
        for each in client.items("/users", UserView):
            if each.email.casefold() == user.strip().casefold():
                return each.user_id
    raise CommandFailed(f"Nobody here has the address {user}.", code="user_not_found")


def _say(person: "UserView", *, as_json: bool) -> None:
    if as_json:
        print_json(person.model_dump(mode="json"))
        return
    roles = ", ".join(person.roles) or "no role"
    out.print(f"[green]✓[/] {person.email} is {person.status} and has {roles} here.", soft_wrap=True)


def _say_shut_out(person: "UserShutOut", *, as_json: bool) -> None:
    _say(person, as_json=as_json)
    if as_json:
        return
    if person.keys_revoked:
        out.print(f"  API keys of theirs that were revoked: {person.keys_revoked}.", soft_wrap=True)
    if person.keys_kept:
        out.print(
            f"[yellow]![/] Keys of service accounts that they made and that go on: {person.keys_kept}. "
            f"`{program()} keys list` marks them.",
            soft_wrap=True,
        )
