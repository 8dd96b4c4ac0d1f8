"""What people may change when they decide a task: one typed form a kind, whose JSON Schema the task shows."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from contracts.catalog import CATALOG, CONNECTION_FIELDS, SOURCE_UNITS

_FIELDS = sorted([*CATALOG, *CONNECTION_FIELDS])
_UNITS = [unit for units in SOURCE_UNITS.values() for unit in units]
AnyField = Annotated[
    str,
    Field(
        description="Id of a canonical field; in a table of connections, of one of theirs",
        json_schema_extra={"enum": [*_FIELDS]},
    ),
]
Unit = Annotated[
    str, Field(description="In which bare numbers of the column are", json_schema_extra={"enum": [*_UNITS]})
]


class NoEdits(BaseModel):
    """Nothing can be changed: the task is approved as it is, or rejected."""

    model_config = ConfigDict(extra="forbid")


class WavePlanEdits(NoEdits):
    """The plan is approved as it is, and the report written; rejected, it is planned anew with other limits."""


class ReadinessEdits(NoEdits):
    """Approve, with a comment that says why, to go on regardless; retry the flow once the data is mended; or reject."""


class CollectedAnswersEdits(NoEdits):
    """The answers are merged as they are, or the collection ends without them."""


class ChangePlanEdits(NoEdits):
    """The plan is carried out as it is, tests and review follow; rejected, nothing is changed."""


class ColumnEdit(BaseModel):
    """What becomes of one column; what is left out stays as proposed."""

    model_config = ConfigDict(extra="forbid")

    field: AnyField | None = Field(default=None, description="The field, or null for 'to nothing'")
    unit: Unit | None = Field(default=None, description="Where the values state none")

    @property
    def maps(self) -> bool:
        """Whether it says what the column means."""
        return "field" in self.model_fields_set


class FieldMappingEdits(RootModel[dict[UUID, dict[str, AnyField | ColumnEdit | None]]]):
    """Columns that are to be mapped otherwise: {table_id: {column: field id, null for nothing, or {field, unit}}}."""


FORMS: Mapping[str, type[BaseModel]] = {
    "field_mapping": FieldMappingEdits,
    "readiness": ReadinessEdits,
    "wave_plan": WavePlanEdits,
    "collected_answers": CollectedAnswersEdits,
    "change_plan": ChangePlanEdits,
}


def form_of(kind: str) -> type[BaseModel]:
    """The form of a kind of task; kinds are an open set, and one that is not known here has nothing to change."""
    return FORMS.get(kind, NoEdits)


def column_edit(given: Any) -> ColumnEdit:
    """What an edit of a column says, which may be a field alone; raises `pydantic.ValidationError`."""
    return ColumnEdit.model_validate(given if isinstance(given, dict) else {"field": given})


def form_schema(kind: str, own_fields: Collection[str] = ()) -> dict[str, Any]:
    """The JSON Schema of a kind's form; columns may also be mapped to these fields of the tenant's own."""
    schema = form_of(kind).model_json_schema()
    if kind == "field_mapping":
        _add_fields(schema, sorted(own_fields))
    return schema


def _add_fields(schema: Any, own_fields: list[str]) -> None:
    """Add to each list of all fields, wherever it is."""
    if isinstance(schema, dict):
        if schema.get("enum") == _FIELDS:
            schema["enum"] = [*_FIELDS, *own_fields]
        for part in schema.values():
            _add_fields(part, own_fields)
    elif isinstance(schema, list):
        for part in schema:
            _add_fields(part, own_fields)
