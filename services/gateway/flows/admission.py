"""What other systems may send on the exchange `external`, and how it is let in."""

import json
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.collection import CollectionRequested
from contracts.discovery import DiscoveryRequested
from contracts.envelope import Event, Tenant
from contracts.lifecycle import FlowControlRequested
from contracts.modernization import ModernizationRequested
from services.chassis.bus.external import Refused
from services.chassis.runtime import Runtime
from services.gateway.access.grants import scopes_in
from services.gateway.access.keys import holder_of_key
from services.gateway.flows.discovery_start import with_files
from services.gateway.handlers import service
from services.gateway.principal import engagement_exists

# One line an event that outsiders may send.
ADMITTED: dict[str, type[Event]] = {
    each.type_name: each
    for each in (DiscoveryRequested, CollectionRequested, ModernizationRequested, FlowControlRequested)
}


@service.on_external
async def admit(message: dict[str, Any], api_key: str | None, session: AsyncSession, runtime: Runtime) -> list[Event]:
    """The internal events that an external CloudEvent becomes.

    Raises `Refused`, `NotFound` or `pydantic.ValidationError`: the message is then dead-lettered with that reason.
    """
    caller = await holder_of_key(session, runtime, api_key or "")
    if caller is None:
        raise Refused("unknown_api_key", "The message has no valid API key in its header x-api-key.")
    event_class = ADMITTED.get(str(message.get("type")))
    if event_class is None:
        raise Refused("event_not_admitted", f"Other systems may send {', '.join(ADMITTED)}, not {message.get('type')}.")
    tenant = Tenant.model_validate(
        {"client_account_id": message.get("clientaccountid"), "engagement_id": message.get("engagementid")}
    )
    scopes = await scopes_in(session, caller, tenant)
    if not scopes or not await engagement_exists(session, tenant):
        raise Refused("unknown_tenant", f"There is no engagement {tenant.engagement_id} of this client account.")
    if "flows:write" not in scopes:
        raise Refused("missing_scope", "The API key lacks the scope flows:write in this engagement.")
    data = {**(message.get("data") or {}), "tenant": tenant}
    if event_class is FlowControlRequested:
        if message.get("flowid") is None:
            raise Refused("no_flow", "The attribute flowid does not say which flow this is about.")
        # Who asks is whose key it is, whatever the message says.
        return [
            FlowControlRequested.model_validate({**data, "flow_id": message["flowid"], "requested_by": caller.name})
        ]
    request = event_class.model_validate({**data, "files": [], "flow_id": message.get("flowid") or _flow_id(message)})
    return [await with_files(session, request) if isinstance(request, DiscoveryRequested) else request]


def _flow_id(message: dict[str, Any]) -> UUID:
    """The same for the same message, which `source` and `id` identify (CloudEvents 1.0): it starts one flow."""
    names = [message.get(name) for name in ("clientaccountid", "engagementid", "source", "id")]
    return uuid5(NAMESPACE_URL, json.dumps(names))
