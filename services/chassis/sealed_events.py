"""Values of a sealed inventory that travel in an event, sealed for the asset or the task that they are of."""

import base64
import json
from collections.abc import Sequence
from uuid import UUID

from pydantic import TypeAdapter

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskRequested
from contracts.assets import AssetOriginCompleted, FieldOrigin
from contracts.envelope import Tenant
from services.chassis.encryption import Vault

_PURPOSE = AssetOriginCompleted.type_name
_FIELDS = TypeAdapter(list[FieldOrigin])
# What of a result can quote what the task was given.
_SAID = ("output", "rules_output", "rationale")


def sealed_origin(vault: Vault, tenant: Tenant, asset_uid: UUID, fields: Sequence[FieldOrigin]) -> str:
    """The origin of an asset's values as an event carries it, readable for this asset of this tenant alone."""
    return base64.b64encode(vault.seal(tenant, _PURPOSE, asset_uid, _FIELDS.dump_json(list(fields)))).decode()


def opened_origin(vault: Vault, event: AssetOriginCompleted) -> Sequence[FieldOrigin]:
    """The origin that an event tells; raises `CannotOpen` for one that was sealed for another asset."""
    if event.sealed is None:
        return event.fields
    opened = vault.open(event.tenant, _PURPOSE, event.asset_uid, base64.b64decode(event.sealed))
    return _FIELDS.validate_json(opened)


def sealed_request(vault: Vault, event: AgentTaskRequested) -> AgentTaskRequested:
    """A request for a task with its inputs sealed, readable for this task of this tenant alone."""
    document = json.dumps(event.inputs).encode()
    sealed = vault.seal(event.tenant, event.type_name, event.id_of_task, document)
    return event.model_copy(update={"inputs": {}, "sealed": base64.b64encode(sealed).decode()})


def opened_request(vault: Vault, event: AgentTaskRequested) -> AgentTaskRequested:
    """A request with its inputs; raises `CannotOpen` for those of another task."""
    if event.sealed is None:
        return event
    opened = vault.open(event.tenant, event.type_name, event.id_of_task, base64.b64decode(event.sealed))
    return event.model_copy(update={"inputs": json.loads(opened), "sealed": None})


def sealed_answer(vault: Vault, event: AgentTaskCompleted) -> AgentTaskCompleted:
    """An answer whose result says only how it came about; what it says is sealed for the task."""
    assert event.result is not None
    assert event.task_id is not None
    said = event.result.model_dump(mode="json", include=set(_SAID))
    sealed = vault.seal(event.tenant, event.type_name, event.task_id, json.dumps(said).encode())
    quiet = event.result.model_copy(update={"output": {}, "rules_output": None, "rationale": ""})
    return event.model_copy(update={"result": quiet, "sealed": base64.b64encode(sealed).decode()})


def opened_answer(vault: Vault, event: AgentTaskCompleted) -> AgentTaskCompleted:
    """An answer with all that it says; raises `CannotOpen` for that of another task."""
    if event.sealed is None or event.result is None or event.task_id is None:
        return event
    opened = vault.open(event.tenant, event.type_name, event.task_id, base64.b64decode(event.sealed))
    return event.model_copy(update={"result": event.result.model_copy(update=json.loads(opened)), "sealed": None})
