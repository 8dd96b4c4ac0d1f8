"""What other systems may ask of flows over the exchange `external`, and in whose name."""

from typing import Any
from uuid import uuid4

import pytest

from contracts.collection import CollectionRequested
from contracts.lifecycle import FlowControlRequested
from services.chassis.bus.external import Refused
from services.gateway.app import DEFAULT_TENANT
from services.gateway.flows.admission import admit
from tests.gateway.platform import KEY, Platform

FLOW_ID = uuid4()


def message(event_type: str, **attributes: Any) -> dict[str, Any]:
    """A CloudEvent of another system."""
    tenant = {
        "clientaccountid": str(DEFAULT_TENANT.client_account_id),
        "engagementid": str(DEFAULT_TENANT.engagement_id),
    }
    return {"specversion": "1.0", "id": "1", "source": "/cmdb", "type": event_type, **tenant, **attributes}


async def test_another_system_controls_a_flow_in_the_name_of_its_key(platform: Platform) -> None:
    asked = message(
        "flow_control.requested", flowid=str(FLOW_ID), data={"action": "pause", "requested_by": "somebody else"}
    )
    async with platform.runtime.database.session() as session:
        [event] = await admit(asked, KEY, session, platform.runtime)
    assert isinstance(event, FlowControlRequested)
    assert (event.flow_id, event.action, event.tenant) == (FLOW_ID, "pause", DEFAULT_TENANT)
    assert event.requested_by == "operator"


async def test_a_control_that_names_no_flow_is_refused(platform: Platform) -> None:
    async with platform.runtime.database.session() as session:
        with pytest.raises(Refused, match="which flow"):
            await admit(message("flow_control.requested", data={"action": "pause"}), KEY, session, platform.runtime)


async def test_another_system_starts_a_collection_once_per_message(platform: Platform) -> None:
    asked = message("collection.requested", data={"discovery_flow_id": str(FLOW_ID)})
    async with platform.runtime.database.session() as session:
        [event] = await admit(asked, KEY, session, platform.runtime)
        [again] = await admit(asked, KEY, session, platform.runtime)
    assert isinstance(event, CollectionRequested)
    assert event.flow_id == again.flow_id
