"""What is asked of OpenID providers, through the guard that every outgoing request passes."""

import base64
import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import orjson
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, ValidationError

from services.chassis.errors import ExpectedFailure
from services.chassis.outbound import Limits
from services.chassis.runtime import Runtime
from services.gateway.access.id_tokens import UntrustedToken, signing_keys

COPY_SECONDS = 3600.0
# A token of an unknown key has the keys read again, but not more often.
ASK_SECONDS = 10.0
MOST_PROVIDERS = 1000
_LIMITS = Limits(total_seconds=10, idle_seconds=5, max_bytes=256 * 1024)


class ProviderFailed(ExpectedFailure):
    """The provider does not answer as OpenID Connect asks for."""

    status = 502


class Metadata(BaseModel):
    """What of a provider's discovery document counts here."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False


@dataclass
class _Known:
    metadata: Metadata
    keys: KeySet
    read_at: float = field(default_factory=time.monotonic)


class OidcClient:
    """Asks OpenID providers, and keeps a copy of what seldom changes."""

    def __init__(self, runtime: Runtime) -> None:
        self._outbound = runtime.outbound
        self._known: dict[str, _Known] = {}

    async def metadata(self, issuer: str) -> Metadata:
        """The discovery document of an issuer; raises `ProviderFailed`, or what the guard raises."""
        return (await self._provider(issuer, COPY_SECONDS)).metadata

    async def keys(self, issuer: str, kid: str | None) -> KeySet:
        """Its keys, read again if the one of this name is not among them."""
        known = await self._provider(issuer, COPY_SECONDS)
        if kid is not None and all(key.kid != kid for key in known.keys):
            known = await self._provider(issuer, ASK_SECONDS)
        return known.keys

    async def id_token(
        self, issuer: str, client_id: str, client_secret: str | None, *, code: str, verifier: str, redirect_uri: str
    ) -> str:
        """The ID token for an authorization code; raises `UntrustedToken` if the provider refuses the code."""
        metadata = await self.metadata(issuer)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        methods = metadata.token_endpoint_auth_methods_supported
        if client_secret is not None and "client_secret_basic" in methods:
            # RFC 6749, section 2.3.1: both are encoded as in a form first.
            pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = client_id
            if client_secret is not None:
                form["client_secret"] = client_secret
        answer = await self._outbound.send(
            "POST", metadata.token_endpoint, headers=headers, content=urlencode(form).encode(), limits=_LIMITS
        )
        document = _json(answer.body) if answer.status == 200 else None
        token = document.get("id_token") if isinstance(document, dict) else None
        if not isinstance(token, str):
            raise UntrustedToken(f"the token endpoint answered {answer.status} without an ID token")
        return token

    async def _provider(self, issuer: str, oldest: float) -> _Known:
        known = self._known.get(issuer)
        if known is None or time.monotonic() - known.read_at > oldest:
            if len(self._known) >= MOST_PROVIDERS:
                self._known.clear()
            known = self._known[issuer] = await self._read(issuer)
        return known

    async def _read(self, issuer: str) -> _Known:
        document = await self._document(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            metadata = Metadata.model_validate(document)
        except ValidationError as error:
            raise _failed(issuer, "its discovery document lacks what OpenID Connect asks for") from error
        if metadata.issuer != issuer:
            raise _failed(issuer, "its discovery document names another issuer")
        try:
            keys = signing_keys(await self._document(metadata.jwks_uri))
        except UntrustedToken as error:
            raise _failed(issuer, "it tells no keys that can be used") from error
        return _Known(metadata, keys)

    async def _document(self, url: str) -> object:
        answer = await self._outbound.send("GET", url, headers={"accept": "application/json"}, limits=_LIMITS)
        if answer.status != 200:
            raise _failed(url, f"it answered with the status {answer.status}")
        return _json(answer.body)


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _failed(where: str, why: str) -> ProviderFailed:
    return ProviderFailed("provider_failed", f"The login provider at {where} cannot be used: {why}.")
