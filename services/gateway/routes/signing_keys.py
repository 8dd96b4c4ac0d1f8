"""An end to all access tokens at once, for when a key that signs them may have leaked."""

from datetime import UTC, datetime

from fastapi import APIRouter

from contracts.envelope import PLATFORM
from contracts.people import SigningKeysRevoked
from contracts.rest_people import SigningKeysRevokedView
from services.gateway.access.entrance import Door
from services.gateway.access.signing_keys import replace_keys
from services.gateway.idempotency import Creating
from services.gateway.principal import Operator
from services.gateway.routes.access import emit

router = APIRouter(tags=["people"])


@router.post("/signing-keys/revocation", status_code=201)
async def revoke_signing_keys(caller: Operator, door: Door, once: Creating) -> SigningKeysRevokedView:
    """Revoke every key that signs access tokens and sign with a new one. Keys are also replaced by themselves, monthly.

    All access tokens are refused at once, in other processes of the gateway within five seconds. Sessions go on: each
    gets its next token with its refresh token, which no such key signs. Who checks tokens with a copy of
    /.well-known/jwks.json has to read it again, which it otherwise does within an hour.
    """
    async with once.transaction() as session:
        gone, made = await replace_keys(session, door.runtime.vault, datetime.now(UTC))
        told = SigningKeysRevoked(tenant=PLATFORM, kids=gone, revoked_by=caller.subject, revoked_by_name=caller.name)
        await emit(session, told, *made)
        view = once.keep(SigningKeysRevokedView(revoked=gone, kid=made[0].kid))
    door.committed()
    return view
