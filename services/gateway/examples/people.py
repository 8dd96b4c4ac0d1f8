"""One example a REST model about people and signing in, for the OpenAPI document; see `examples`."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, SecretStr

from contracts.rest_people import (
    AcceptBody,
    DoneView,
    InvitationBody,
    InvitationMade,
    InvitationTokenBody,
    InvitationView,
    JoinedView,
    LoginBody,
    LoginProviderBody,
    LoginProvidersView,
    LoginProviderView,
    MembershipView,
    MeView,
    OidcCallbackBody,
    OidcLoginBody,
    OidcLoginView,
    PasswordChangeBody,
    PasswordResetBody,
    PasswordResetMadeView,
    PasswordResetUse,
    RefreshBody,
    SessionsView,
    SessionView,
    SigningKeySet,
    SigningKeysRevokedView,
    SigningKeyView,
    TokensView,
    UserShutOut,
    UserView,
)

_AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
_UNTIL = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
_USER = UUID("0197a6a0-0000-7000-8000-0000000000a1")
_SESSION = UUID("0197a6a0-0000-7000-8000-0000000000a2")
_PROVIDER = UUID("0197a6a0-0000-7000-8000-0000000000a3")
_CLIENT = UUID("6d6a7c0e-3a55-5b0e-9f0a-6d5c5a1d2b10")
_ENGAGEMENT = UUID("0c1f2a3b-4c5d-5e6f-8a9b-0c1d2e3f4a5b")
_EMAIL = "ada@contoso.example"
_ADDRESS = "http://127.0.0.1:8123/callback"
_PASSWORD = SecretStr("where the coffee gets cold")
_MEMBERSHIP = MembershipView(client_account_id=_CLIENT, engagement_id=_ENGAGEMENT, role="analyst")
_INVITATION = InvitationView(
    invitation_id=UUID("0197a6a0-0000-7000-8000-0000000000a4"),
    email=_EMAIL,
    role="analyst",
    status="open",
    invited_by="grace@contoso.example",
    created_at=_AT,
    expires_at=_UNTIL,
)
_TOKEN = SecretStr("modernize_invitation_…")
_KEY = SigningKeyView(
    kid="uK6UzRLktwvi-HOzlSbarNKUJGcImgtY7VFmlUQ9Pg0",  # pragma: allowlist secret
    x="VxdqD-kjPqih4NKJbpvQQInyr8ru_WK25WQYAda9Udo",  # pragma: allowlist secret
)
_ONE_SESSION = SessionView(
    session_id=_SESSION,
    method="password",
    user_agent="Mozilla/5.0",
    source="203.0.113.7",
    started_at=_AT,
    used_at=_AT,
    ends_at=_UNTIL,
    current=True,
)
_PROVIDER_VIEW = LoginProviderView(
    provider_id=_PROVIDER,
    name="Contoso",
    issuer="https://login.contoso.example",
    client_id="modernize",
    has_secret=True,
    redirect_uris=["https://console.example/callback"],
    allowed_domains=["contoso.example"],
    saved_by="operator",
    saved_at=_AT,
)

_VIEW = UserView(user_id=_USER, email=_EMAIL, name="Ada Lovelace", status="active", roles=["analyst"], created_at=_AT)

PEOPLE_EXAMPLES: tuple[BaseModel, ...] = (
    LoginBody(email=_EMAIL, password=_PASSWORD),
    RefreshBody(refresh_token=SecretStr("modernize_refresh_…")),
    TokensView(
        access_token="eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZDI1NTE5In0.…",
        expires_in=600,
        refresh_token="modernize_refresh_…",
        refresh_expires_at=_UNTIL,
        session_id=_SESSION,
    ),
    DoneView(sessions_ended=1),
    _ONE_SESSION,
    SessionsView(items=[_ONE_SESSION]),
    _MEMBERSHIP,
    MeView(
        subject=f"user:{_USER}",
        name=_EMAIL,
        user_id=_USER,
        email=_EMAIL,
        session_id=_SESSION,
        memberships=[_MEMBERSHIP],
        scopes=["flows:read", "flows:write"],
    ),
    PasswordChangeBody(current_password=_PASSWORD, new_password=SecretStr("and the printer sings again")),
    PasswordResetBody(hours=24),
    PasswordResetMadeView(user_id=_USER, email=_EMAIL, token="modernize_password_reset_…", expires_at=_UNTIL),
    PasswordResetUse(token=SecretStr("modernize_password_reset_…"), new_password=_PASSWORD),
    _VIEW,
    UserShutOut(**{**_VIEW.model_dump(), "roles": []}, keys_revoked=2, keys_kept=1),
    InvitationBody(email=_EMAIL, role="analyst"),
    _INVITATION,
    InvitationMade(**_INVITATION.model_dump(), token=_TOKEN.get_secret_value()),
    AcceptBody(token=_TOKEN, password=_PASSWORD, name="Ada Lovelace"),
    InvitationTokenBody(token=_TOKEN),
    JoinedView(user_id=_USER, email=_EMAIL, client_account_id=_CLIENT, engagement_id=_ENGAGEMENT, role="analyst"),
    LoginProviderBody(
        name="Contoso",
        issuer="https://login.contoso.example",
        client_id="modernize",
        client_secret=SecretStr("of-the-provider"),
        redirect_uris=["https://console.example/callback"],
        allowed_domains=["contoso.example"],
    ),
    _PROVIDER_VIEW,
    LoginProvidersView(items=[_PROVIDER_VIEW]),
    OidcLoginBody(provider_id=_PROVIDER, client_account_id=_CLIENT, redirect_uri=_ADDRESS),
    OidcLoginView(
        authorization_url="https://login.contoso.example/authorize?response_type=code&client_id=modernize",
        login_secret="kept by the program that began",  # pragma: allowlist secret
        expires_in=600,
    ),
    OidcCallbackBody(
        login_secret=SecretStr("kept by the program that began"),
        state="as it came back",
        code=SecretStr("as it came back"),
        iss="https://login.contoso.example",
    ),
    _KEY,
    SigningKeySet(keys=[_KEY]),
    SigningKeysRevokedView(revoked=[_KEY.kid], kid="the id of the next one"),
)
