"""Logins at OpenID providers: authorization code with PKCE, state and nonce, bound to the program that began it.

What began a login gets a secret, and state, nonce and PKCE verifier are derived from it. So the database holds nothing
by which a login could be ended elsewhere, and a callback counts only with the secret, once.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Tenant
from contracts.rest_people import OidcCallbackBody, OidcLoginBody, OidcLoginView
from services.chassis.errors import BadRequest, NotFound
from services.chassis.tenancy import enter
from services.gateway.access.entrance import Entrance
from services.gateway.access.grants import account
from services.gateway.access.id_tokens import Proof, UntrustedToken, proof_of
from services.gateway.access.opaque_tokens import digest
from services.gateway.access.people_tables import PROVIDER_SECRET, LoginProvider, OidcLogin

PATIENCE = timedelta(minutes=10)
SECRET_PURPOSE = PROVIDER_SECRET.purpose
_LOOPBACK = {"127.0.0.1", "::1"}


@dataclass(frozen=True)
class Provider:
    """A login provider, its secret readable, and the tenant that it lets people into."""

    provider_id: UUID
    tenant: Tenant
    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uris: list[str]
    allowed_domains: list[str]


async def begin_login(entrance: Entrance, body: OidcLoginBody) -> OidcLoginView:
    """Where to send a person to sign in; raises `NotFound` for an unknown provider, `BadRequest` for the way back."""
    tenant = PLATFORM if body.client_account_id is None else account(body.client_account_id)
    async with entrance.runtime.database.session() as session:
        provider = await provider_of(entrance, session, tenant, body.provider_id)
    if not leads_back(body.redirect_uri, provider.redirect_uris):
        raise BadRequest(
            "redirect_not_allowed",
            "Use a loopback address such as http://127.0.0.1:8123/callback, or one that the login provider lists.",
        )
    metadata = await entrance.oidc.metadata(provider.issuer)
    login_secret = secrets.token_urlsafe(32)
    async with entrance.runtime.database.transaction(PLATFORM) as session:
        session.add(
            OidcLogin(
                secret_digest=digest(login_secret),
                provider_id=provider.provider_id,
                of_client_account_id=tenant.client_account_id,
                redirect_uri=body.redirect_uri,
                expires_at=datetime.now(UTC) + PATIENCE,
            )
        )
    challenge = hashlib.sha256(derived(login_secret, "verifier").encode()).digest()
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": body.redirect_uri,
        "scope": "openid email profile",
        "state": derived(login_secret, "state"),
        "nonce": derived(login_secret, "nonce"),
        "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    mark = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
    return OidcLoginView(
        authorization_url=f"{metadata.authorization_endpoint}{mark}{urlencode(query)}",
        login_secret=login_secret,
        expires_in=int(PATIENCE.total_seconds()),
    )


async def ended_login(entrance: Entrance, body: OidcCallbackBody) -> tuple[Provider, Proof]:
    """Who came back, and from where; raises `UntrustedToken`. Whatever comes of it, the login cannot be ended again."""
    login_secret = body.login_secret.get_secret_value()
    async with entrance.runtime.database.transaction(PLATFORM) as session:
        statement = delete(OidcLogin).where(OidcLogin.secret_digest == digest(login_secret)).returning(OidcLogin)
        login = (await session.scalars(statement)).one_or_none()
        now = datetime.now(UTC)
        provider = None
        if login is not None and now < login.expires_at:
            provider = await provider_of(entrance, session, account(login.of_client_account_id), login.provider_id)
    if login is None or provider is None:
        raise UntrustedToken("no such login was begun, or it is over")
    if not hmac.compare_digest(body.state.encode(), derived(login_secret, "state").encode()):
        raise UntrustedToken("the state is another")
    metadata = await entrance.oidc.metadata(provider.issuer)
    # RFC 9207: by this a client with several issuers sees that the answer came from another one.
    if body.iss is None and metadata.authorization_response_iss_parameter_supported:
        raise UntrustedToken("the answer lacks its issuer")
    if body.iss is not None and body.iss != provider.issuer:
        raise UntrustedToken("the answer came from another issuer")
    id_token = await entrance.oidc.id_token(
        provider.issuer,
        provider.client_id,
        provider.client_secret,
        code=body.code.get_secret_value(),
        verifier=derived(login_secret, "verifier"),
        redirect_uri=login.redirect_uri,
    )
    keys = await entrance.oidc.keys(provider.issuer, _kid(id_token))
    nonce = derived(login_secret, "nonce")
    proof = proof_of(id_token, keys, issuer=provider.issuer, client_id=provider.client_id, nonce=nonce, now=now)
    return provider, proof


async def provider_of(entrance: Entrance, session: AsyncSession, tenant: Tenant, provider_id: UUID) -> Provider:
    """A login provider of a tenant, in which the session is then; raises `NotFound`."""
    await enter(session, tenant)
    row = await session.scalar(select(LoginProvider).where(LoginProvider.provider_id == provider_id))
    if row is None:
        raise NotFound("provider_not_found", f"There is no login provider {provider_id} here.")
    secret = None
    if row.sealed_secret is not None:
        secret = entrance.runtime.vault.open(tenant, SECRET_PURPOSE, provider_id, row.sealed_secret).decode()
    return Provider(
        provider_id, tenant, row.issuer, row.client_id, secret, list(row.redirect_uris), list(row.allowed_domains)
    )


def derived(login_secret: str, use: str) -> str:
    """What a login's secret stands for in one use: 43 characters that tell nothing of it."""
    value = hmac.digest(login_secret.encode(), use.encode(), "sha256")
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def leads_back(redirect_uri: str, listed: list[str]) -> bool:
    """Whether a provider may send people there: a listed address, or its own loopback (RFC 8252, section 7.3)."""
    if redirect_uri in listed:
        return True
    try:
        parts = urlsplit(redirect_uri)
        port = parts.port
    except ValueError:
        return False
    plain = not parts.username and not parts.password and not parts.fragment
    return parts.scheme == "http" and parts.hostname in _LOOPBACK and port is not None and plain


def _kid(id_token: str) -> str | None:
    try:
        kid = jws.extract_compact(id_token.encode()).headers().get("kid")
    except (JoseError, ValueError) as error:
        raise UntrustedToken(f"the ID token is none: {error!r}") from error
    return kid if isinstance(kid, str) else None
