"""What the REST interface takes and gives about people, their sessions and how they sign in."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, SecretStr

from contracts.access import Role, Scope
from contracts.people import LoginMethod
from contracts.rest import View

Email = Annotated[str, Field(min_length=3, max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")]
# The bound is what it may cost to look at one; what a good one is, is decided with the person's name at hand.
Password = Annotated[SecretStr, Field(max_length=1024)]
NewPassword = Annotated[
    SecretStr, Field(max_length=1024, description="12 characters at least; common and predictable ones are refused")
]
Token = Annotated[SecretStr, Field(max_length=300)]
Delivery = Literal["body", "cookie"]
InvitationStatus = Literal["open", "accepted", "withdrawn"]


class LoginBody(View):
    """Sign in with a password."""

    email: Email
    password: Password
    delivery: Delivery = Field(
        default="body", description="`cookie`: the refresh token comes as an HttpOnly cookie, which scripts cannot read"
    )


class RefreshBody(View):
    """Go on with a session. Without a token the cookie counts."""

    refresh_token: Token | None = None


class TokensView(View):
    """An access token, and what gets the next one. Each refresh token is good once."""

    access_token: str = Field(description="JWT (RFC 9068), for the header Authorization: Bearer")
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="Seconds until the access token ends")
    refresh_token: str | None = Field(default=None, description="Absent where it went into a cookie")
    refresh_expires_at: datetime = Field(description="The session ends then, or earlier if it is not used")
    session_id: UUID


class DoneView(View):
    """It took effect."""

    sessions_ended: int = 0


class SessionView(View):
    """A session of one's own."""

    session_id: UUID
    method: LoginMethod
    user_agent: str | None
    source: str
    started_at: datetime
    used_at: datetime = Field(description="When it last got tokens")
    ends_at: datetime
    current: bool = Field(default=False, description="Whether this request belongs to it")


class SessionsView(View):
    """One's own live sessions, the newest first."""

    items: list[SessionView]


class MembershipView(View):
    """A role and where it counts. A nil engagement: in all of the client account; both nil: everywhere."""

    client_account_id: UUID
    engagement_id: UUID
    role: Role


class MeView(View):
    """Who asks, and what it may do in the tenant that the request names."""

    subject: str
    name: str
    user_id: UUID | None = Field(default=None, description="Absent for an API key")
    email: str | None = None
    session_id: UUID | None = None
    memberships: list[MembershipView] = Field(default=[], description="Every role of a person, and where it counts")
    scopes: list[Scope] = Field(description="In the tenant of this request; none where it has no business")


class PasswordChangeBody(View):
    """Another password. All other sessions end."""

    current_password: Password
    new_password: NewPassword


class PasswordResetBody(View):
    """Let a person set another password."""

    hours: int = Field(default=24, ge=1, le=72, description="For how long the token is good")


class PasswordResetMadeView(View):
    """A token that sets another password once. It is told this once: give it to that person, and nobody else."""

    user_id: UUID
    email: str
    token: str
    expires_at: datetime


class PasswordResetUse(View):
    """Set another password with the token that an operator gave. All sessions of the account end."""

    token: Token
    new_password: NewPassword


class UserView(View):
    """A person, with the roles that were given in this tenant."""

    user_id: UUID
    email: str
    name: str
    status: Literal["active", "deactivated"]
    roles: list[Role]
    created_at: datetime


class UserShutOut(UserView):
    """A person who may do less than before, and what became of the API keys that it had made here and below."""

    keys_revoked: int = Field(default=0, description="Keys with a person's role that could do more than the person now")
    keys_kept: int = Field(
        default=0, description="Keys of service accounts that go on; `maker_left` marks them in the list of keys"
    )


class InvitationBody(View):
    """Let somebody join this tenant with a role."""

    email: Email
    role: Role
    days: int = Field(default=7, ge=1, le=30, description="For how long it can be accepted")


class InvitationView(View):
    """An invitation."""

    invitation_id: UUID
    email: str
    role: Role
    status: InvitationStatus
    invited_by: str
    created_at: datetime
    expires_at: datetime


class InvitationMade(InvitationView):
    """An invitation with its token, which is told this once: give it to the person whom it invites, and nobody else."""

    token: str


class AcceptBody(View):
    """Accept an invitation with a new account."""

    token: Token
    password: NewPassword
    name: str | None = Field(default=None, min_length=1, max_length=200, description="What people call you")


class InvitationTokenBody(View):
    """Accept an invitation, signed in."""

    token: Token


class JoinedView(View):
    """Who joined, where, and as what."""

    user_id: UUID
    email: str
    client_account_id: UUID
    engagement_id: UUID
    role: Role


class LoginProviderBody(View):
    """An OpenID provider that people may sign in with."""

    name: str = Field(min_length=1, max_length=100)
    issuer: str = Field(max_length=500, pattern=r"^https?://[^\s?#]+$", description="As in its discovery document")
    client_id: str = Field(min_length=1, max_length=300)
    client_secret: Annotated[SecretStr, Field(max_length=1000)] | None = Field(
        default=None, description="Kept sealed, never told. Absent: a public client, or the secret that is there"
    )
    redirect_uris: list[Annotated[str, Field(max_length=500)]] = Field(
        default=[], max_length=20, description="Where it may send people back to, beside loopback addresses"
    )
    allowed_domains: list[Annotated[str, Field(pattern=r"^[a-z0-9.-]{3,253}$")]] = Field(
        default=[],
        max_length=50,
        description="Domains whose mail addresses it alone vouches for: these people need no invitation",
    )


class LoginProviderView(View):
    """An OpenID provider; its secret is never told."""

    provider_id: UUID
    name: str
    issuer: str
    client_id: str
    has_secret: bool
    redirect_uris: list[str]
    allowed_domains: list[str]
    saved_by: str
    saved_at: datetime


class LoginProvidersView(View):
    """The OpenID providers of this tenant."""

    items: list[LoginProviderView]


class OidcLoginBody(View):
    """Begin to sign in with an OpenID provider."""

    provider_id: UUID
    client_account_id: UUID | None = Field(default=None, description="Whose provider it is; absent: the platform's")
    redirect_uri: str = Field(
        max_length=500, description="A loopback address with any port (RFC 8252), or one that the provider lists"
    )


class OidcLoginView(View):
    """Where to send the person, and what only the program that began this may know."""

    authorization_url: str
    login_secret: str = Field(description="Keep it in the browser or program that began; it is good once")
    expires_in: int = Field(description="Seconds until it is good for nothing")


class OidcCallbackBody(View):
    """What came back from the OpenID provider."""

    login_secret: Token
    state: Annotated[str, Field(max_length=500)]
    code: Annotated[SecretStr, Field(max_length=4000)]
    iss: str | None = Field(default=None, max_length=500, description="As it came back (RFC 9207)")
    invitation_token: Token | None = Field(default=None, description="Accepts an invitation at the same time")
    delivery: Delivery = "body"


class SigningKeyView(View):
    """A public key (RFC 7517, RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["Ed25519"] = "Ed25519"
    kid: str
    x: str


class SigningKeySet(View):
    """The keys that access tokens may be signed with."""

    keys: list[SigningKeyView]


class SigningKeysRevokedView(View):
    """Keys whose tokens count no longer, and the one that signs from now on."""

    revoked: list[str] = Field(description="Ids of the keys (`kid`)")
    kid: str
