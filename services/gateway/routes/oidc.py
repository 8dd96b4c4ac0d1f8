"""Sign in with an OpenID provider; and the keys by which others check our own tokens."""

import structlog
from fastapi import APIRouter, Response

from contracts.envelope import PLATFORM
from contracts.people import LoginFailed
from contracts.rest_people import OidcCallbackBody, OidcLoginBody, OidcLoginView, SigningKeySet, TokensView
from services.gateway.access.attempts import LoginRefused
from services.gateway.access.cookies import delivered
from services.gateway.access.entrance import COUNTED, Door, From
from services.gateway.access.id_tokens import UntrustedToken
from services.gateway.access.linking import person_of, vouches
from services.gateway.access.oidc_logins import begin_login, ended_login
from services.gateway.access.sessions import begin_session
from services.gateway.access.signing_keys import published
from services.gateway.routes.access import Gateway, emit

log = structlog.get_logger()
router = APIRouter(tags=["signing in"])
well_known = APIRouter(tags=["signing in"])


@router.post("/auth/oidc/logins", status_code=201, dependencies=[COUNTED])
async def begin_oidc_login(body: OidcLoginBody, response: Response, door: Door) -> OidcLoginView:
    """Begin to sign in with an OpenID provider: send the person to the address, and keep the secret."""
    response.headers["Cache-Control"] = "no-store"
    return await begin_login(door, body)


@router.post("/auth/oidc/callback", dependencies=[COUNTED])
async def finish_oidc_login(body: OidcCallbackBody, response: Response, door: Door, visitor: From) -> TokensView:
    """Sign in with what came back from the OpenID provider. It counts once, and only with the secret of its login."""
    invitation = body.invitation_token
    try:
        provider, proof = await ended_login(door, body)
        async with door.runtime.database.session() as session:
            user, _ = await person_of(
                session, provider, proof, None if invitation is None else invitation.get_secret_value()
            )
            everywhere = provider.tenant == PLATFORM or vouches(provider, user.email)
            within = None if everywhere else provider.tenant.client_account_id
            tokens = await begin_session(session, door.tokens, user.user_id, "oidc", visitor, within)
    except UntrustedToken as error:
        log.warning("oidc_login_refused", reason=str(error))
        failed = LoginFailed(tenant=PLATFORM, method="oidc", reason=str(error)[:300], address=visitor.source)
        async with door.runtime.database.transaction(PLATFORM) as session:
            await emit(session, failed)
        door.runtime.committed()
        raise LoginRefused from error
    door.committed()
    return delivered(response, tokens, body.delivery)


@well_known.get("/.well-known/jwks.json")
async def show_signing_keys(response: Response, gateway: Gateway) -> SigningKeySet:
    """The public keys of access tokens (RFC 7517), the next one among them."""
    response.headers["Cache-Control"] = "public, max-age=3600"
    return await published(gateway)
