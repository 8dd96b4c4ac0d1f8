"""What people may change when they decide a task: one typed form a kind, whose JSON Schema the task shows."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from contracts.catalog import CATALOG

CanonicalField = Annotated[
    str, Field(description="Id of a canonical field", json_schema_extra={"enum": sorted(CATALOG)})
]


class NoEdits(BaseModel):
    """Nothing can be changed: the task is approved as it is, or rejected."""

    model_config = ConfigDict(extra="forbid")


class FieldMappingEdits(RootModel[dict[UUID, dict[str, CanonicalField | None]]]):
    """Columns that are to be mapped otherwise: {table_id: {column: canonical field id, or null for 'to nothing'}}."""


FORMS: Mapping[str, type[BaseModel]] = {
    "field_mapping": FieldMappingEdits,
    "wave_plan": NoEdits,
    "collected_answers": NoEdits,
    "change_plan": NoEdits,
}


def form_of(kind: str) -> type[BaseModel]:
    """The form of a kind of task; kinds are an open set, and one that is not known here has nothing to change."""
    return FORMS.get(kind, NoEdits)


def form_schema(kind: str, own_fields: Collection[str] = ()) -> dict[str, Any]:
    """The JSON Schema of a kind's form; columns may also be mapped to these fields of the tenant's own."""
    schema = form_of(kind).model_json_schema()
    if kind == "field_mapping":
        schema["additionalProperties"]["additionalProperties"]["anyOf"][0]["enum"] += sorted(own_fields)
    return schema
