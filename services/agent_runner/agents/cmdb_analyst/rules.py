"""What a column of an inventory means, where its name alone has to do; and what makes an answer impossible."""

from typing import Any

from pydantic import Field
from rapidfuzz import fuzz, process

from contracts.catalog import CATALOG, CONNECTION_FIELDS, units_of
from services.agent_runner.agents.definition import Answers, Item, Judgement, Question
from services.agent_runner.analysis.phrases import listed

CONNECTIONS = "connections"
# Names that are written so nearly alike as `fuzz.ratio` of 100 says are most likely the same.
ALIKE = 85
NAMED_EXACTLY = 0.9
NAMED_NEARLY = 0.5
NOTHING_KNOWN = 0.2


class Column(Item):
    """A column in question, with what field mapping proposes for it where it was asked."""

    column: str = Field(min_length=1, max_length=500)
    kind: str | None = Field(default=None, description="Of its table, where that is not the kind of the others")
    samples: list[str] = Field(default=[], max_length=20, description="Some of its values")
    filled: int | None = Field(default=None, ge=0, description="Rows that have a value")
    distinct: int | None = Field(default=None, ge=0)
    field: str | None = Field(default=None, description="The field that the rules propose")
    unit: str | None = None
    confidence: float = Field(default=0, ge=0, le=1, description="Of the rules; 0 where they were not asked")
    reason: str = Field(default="", max_length=4000)
    alternatives: list[str] = Field(default=[], max_length=20)


class Columns(Question):
    """Columns whose meaning is in doubt."""

    kind: str = Field(default="inventory", description="Of their table: inventory, applications, connections")
    items: list[Column] = Field(min_length=1, max_length=500)
    neighbours: list[str] = Field(default=[], max_length=500, description="Names of the table's other columns")
    own_fields: dict[str, str] = Field(default={}, description="Id and label of fields of the tenant's own")


class ColumnMeaning(Judgement):
    """What one column means."""

    field: str | None = Field(description="Id of a field, or null where the column means none of them")
    unit: str | None = Field(default=None, description="Unit of its bare numbers, where the field has units")


class ColumnMeanings(Answers):
    """What each column means."""

    answers: list[ColumnMeaning]


def possible_fields(question: Columns, kind: str | None = None) -> dict[str, str]:
    """Id and label of the fields that columns may mean in a table of this kind, by default the question's."""
    if (kind or question.kind) == CONNECTIONS:
        return dict(CONNECTION_FIELDS)
    return {field.id: field.label for field in CATALOG.values()} | question.own_fields


def name_columns(question: Columns) -> ColumnMeanings:
    """What field mapping proposed, and of columns that it was not asked about what their names say."""
    return ColumnMeanings(answers=[_meaning(each, possible_fields(question, each.kind)) for each in question.items])


def _meaning(column: Column, fields: dict[str, str]) -> ColumnMeaning:
    if column.confidence > 0:
        taken = {"field": column.field, "unit": column.unit, "confidence": column.confidence}
        return ColumnMeaning(key=column.key, rationale=column.reason[:2000], **taken)
    name = _plain(column.column)
    called = {_plain(text): field for field, label in fields.items() for text in (field, label)}
    if name in called:
        reason = f"The column is called like the field {fields[called[name]]}."
        return ColumnMeaning(key=column.key, field=called[name], confidence=NAMED_EXACTLY, rationale=reason)
    nearest = process.extractOne(name, list(called), scorer=fuzz.ratio, score_cutoff=ALIKE)
    if nearest is not None:
        field = called[nearest[0]]
        reason = f"The column is called nearly like the field {fields[field]}."
        return ColumnMeaning(key=column.key, field=field, confidence=NAMED_NEARLY, rationale=reason)
    return ColumnMeaning(
        key=column.key, field=None, confidence=NOTHING_KNOWN, rationale="No field is called like this column."
    )


def _plain(name: str) -> str:
    return " ".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def impossible(question: Columns, answer: ColumnMeaning) -> str | None:
    """Why a column cannot mean this: the field does not exist for its table, or does not go with the unit."""
    kind = next((item.kind for item in question.items if item.key == answer.key), None) or question.kind
    if answer.field is not None and answer.field not in possible_fields(question, kind):
        return f"there is no field {answer.field!r} for a table of the kind {kind}"
    if answer.unit is not None and answer.unit not in units_of(answer.field):
        units = listed(units_of(answer.field)) or "none"
        return f"the field {answer.field} has no unit {answer.unit!r}; its units: {units}"
    return None


def choices(question: Columns) -> dict[str, Any]:
    """What a column may mean, and which other columns its table has."""
    told = {"fields": possible_fields(question), "kind": question.kind, "other_columns": question.neighbours}
    if any(item.kind == CONNECTIONS for item in question.items):
        told["fields_of_connections"] = possible_fields(question, CONNECTIONS)
    return told
