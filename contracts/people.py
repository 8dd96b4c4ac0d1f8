"""People: how they come, sign in, and go. Nothing in these events lets anybody in."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.access import Role
from contracts.envelope import Event

LoginMethod = Literal["password", "oidc"]
SessionEnd = Literal[
    "logged_out",
    "logged_out_everywhere",
    "ended_by_user",
    "password_changed",
    "user_deactivated",
    "refresh_token_reused",
    "identity_linked",
]


class UserInvited(Event, type="user.invited"):
    """Somebody may join this tenant with a role. The token is told to the inviter alone."""

    invitation_id: UUID
    email: str
    role: Role
    invited_by: str
    expires_at: datetime


class InvitationWithdrawn(Event, type="invitation.withdrawn"):
    """An invitation is good for nothing any more."""

    invitation_id: UUID
    withdrawn_by: str


class UserJoined(Event, type="user.joined"):
    """A person has an account, or an account came into another tenant."""

    user_id: UUID
    email: str
    new_account: bool
    invitation_id: UUID | None = Field(default=None, description="Absent: let in by the domain of a login provider")


class UserDeactivated(Event, type="user.deactivated"):
    """A person has no business here any more: in the platform's tenant nowhere, else in this tenant."""

    user_id: UUID
    deactivated_by: str


class UserReactivated(Event, type="user.reactivated"):
    """An account that was deactivated may sign in again."""

    user_id: UUID
    reactivated_by: str


class RoleGranted(Event, type="role.granted"):
    """A person has a role in this tenant."""

    user_id: UUID
    role: Role
    granted_by: str


class RoleRevoked(Event, type="role.revoked"):
    """A person lost a role in this tenant."""

    user_id: UUID
    role: Role
    revoked_by: str


class PasswordChanged(Event, type="password.changed"):
    """A person has another password."""

    user_id: UUID
    by_reset: bool = Field(default=False, description="Set with the token of a reset instead of the password before")


class PasswordResetMade(Event, type="password_reset.made"):
    """A person may set another password with a token, which is told to who made it alone."""

    user_id: UUID
    made_by: str = Field(description="Subject")
    made_by_name: str
    expires_at: datetime


class LoginSucceeded(Event, type="login.succeeded"):
    """A person signed in."""

    user_id: UUID
    session_id: UUID
    method: LoginMethod
    address: str = Field(description="Network address; of IPv6 the /64")


class LoginFailed(Event, type="login.failed"):
    """Somebody did not get in."""

    user_id: UUID | None = Field(default=None, description="Absent: there is no such account")
    account: str | None = Field(default=None, description="SHA-256 of the address that was typed, hex")
    method: LoginMethod
    reason: str
    address: str


class LoginLocked(Event, type="login.locked"):
    """After too many failures an account, or a network address, has to wait."""

    account: str | None = Field(default=None, description="SHA-256 of the address that was typed, hex")
    address: str | None = None
    failures: int
    locked_until: datetime


class SessionRevoked(Event, type="session.revoked"):
    """A session ended before its time; its tokens are good for nothing."""

    user_id: UUID
    session_id: UUID
    reason: SessionEnd


class RefreshTokenReused(Event, type="refresh_token.reused"):
    """A refresh token came twice, so one of those who have it stole it. Its session was revoked."""

    user_id: UUID
    session_id: UUID
    address: str


class IdentityLinked(Event, type="identity.linked"):
    """An account at a login provider signs this person in from now on."""

    user_id: UUID
    provider_id: UUID


class LoginProviderSaved(Event, type="login_provider.saved"):
    """A login provider was set up or changed."""

    provider_id: UUID
    name: str
    issuer: str
    client_id: str
    allowed_domains: list[str]
    saved_by: str


class LoginProviderDeleted(Event, type="login_provider.deleted"):
    """A login provider lets nobody in any more."""

    provider_id: UUID
    deleted_by: str


class SigningKeyMade(Event, type="signing_key.made"):
    """Access tokens will be signed with another key."""

    kid: str
    signs_from: datetime
    signs_until: datetime


class SigningKeysRevoked(Event, type="signing_keys.revoked"):
    """Every access token that was signed until now is refused, because an operator said so."""

    kids: list[str] = Field(description="The keys that sign nothing any more")
    revoked_by: str = Field(description="Subject")
    revoked_by_name: str
