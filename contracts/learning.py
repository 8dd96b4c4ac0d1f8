"""What a tenant teaches field mapping: lessons about columns, fields of its own, and the sources that it knows."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.discovery import ColumnMapping, Drift, Value
from contracts.envelope import Event, Problem

LearningDecision = Literal["apply", "discard", "undo"]
OwnFieldType = Literal["string", "text", "integer", "number", "boolean", "date", "datetime", "list"]
OWN_PREFIX = "own_"
OWN_FIELD = rf"^{OWN_PREFIX}[a-z0-9]+(_[a-z0-9]+)*$"


class OwnField(Value):
    """A field that a tenant adds to the canonical ones."""

    field_id: str = Field(pattern=OWN_FIELD, max_length=60, examples=["own_backup_policy"])
    label: str = Field(min_length=1, max_length=100, examples=["Backup policy"])
    type: str = Field(default="string", description="An open set: string, text, integer, number, boolean, date, …")
    description: str = Field(default="", max_length=1000)
    names: list[str] = Field(
        default=[], max_length=50, description="Other names of it: columns called so, or as its label, mean this field"
    )


class Teaching(Value):
    """What somebody says about one column: that it is a field, or none, or not this field, or in which unit it is."""

    column: str = Field(min_length=1, max_length=500, description="Its name; case and punctuation do not count")
    verdict: str = Field(default="is", description="An open set: is, is_not, in_unit")
    field: str | None = Field(description="Id of a field; null, with `is`, where the column maps to nothing")
    unit: str | None = Field(default=None, description="With `in_unit`: the unit of the column's bare numbers")


class Origin(Value):
    """Where a lesson comes from."""

    how: str = Field(description="An open set: approval, correction, feedback, lesson, document, agent")
    by: str
    at: datetime
    flow_id: UUID | None = None
    text: str | None = Field(default=None, description="What was said, where it was said in words")


class Lesson(Teaching):
    """What was taught about one column, for the files of one source or, without one, for all."""

    lesson_id: UUID
    source_id: UUID | None = None
    origin: Origin


class ColumnChange(Value):
    """How the proposal for one column of a saved table changes."""

    column: str
    field_before: str | None
    status_before: str
    field_after: str | None
    status_after: str
    unit_before: str | None = None
    unit_after: str | None = None


class TableEffect(Value):
    """How the proposals for one saved table change."""

    mapping_id: UUID
    source_name: str
    columns: list[ColumnChange]
    missing_before: list[str] = Field(description="Required fields that no accepted column has")
    missing_after: list[str]


class Effect(Value):
    """What a learning changes, found by proposing for every saved table without it and with it."""

    tables_looked_at: int
    tables_changed: list[TableEffect] = Field(description="At most 100")


class Learning(Value):
    """Lessons that came together, or that are to be forgotten together: they are applied and undone as one."""

    learning_id: UUID
    status: str = Field(description="An open set: proposed, applied, undone, discarded, refused")
    origin: Origin
    lessons: list[Lesson] = Field(default=[])
    forgets: list[UUID] = Field(default=[], description="Lessons that are not to count any more")
    effect: Effect | None = Field(default=None, description="As it was when the learning was proposed")


class TemplateSource(Value):
    """A source in a document: a file with these columns is recognised as one of it."""

    name: str = Field(min_length=1, max_length=200)
    kind: str = Field(description="An open set: inventory, applications, connections, …")
    family: str = Field(max_length=300, description="Kind of file, and the sheet's name where there is one")
    headers: list[list[str]] = Field(max_length=50, description="The columns of each known version of its files")
    lessons: list[Teaching] = Field(default=[], max_length=10_000)


class LearningDocument(Value):
    """What a tenant taught, to be kept or taken elsewhere. It has no names of people and no values of cells."""

    format: Literal["ai-modernize/learnings/1"] = "ai-modernize/learnings/1"
    fields: list[OwnField] = Field(default=[], max_length=500)
    lessons: list[Teaching] = Field(default=[], max_length=10_000, description="For the files of all sources")
    sources: list[TemplateSource] = Field(default=[], max_length=500)


class LearningRequested(Event, type="learning.requested"):
    """Work out what teaching this would change, without applying it. One of text, lessons, forget and document."""

    learning_id: UUID
    requested_by: str
    source_id: UUID | None = Field(default=None, description="Whose files text and lessons are about; null: all")
    text: str | None = None
    lessons: list[Teaching] = Field(default=[])
    forget: list[UUID] = Field(default=[])
    document: LearningDocument | None = None
    reason: str | None = Field(default=None, max_length=1000, description="Why, where an agent proposes lessons")
    apply: bool = Field(default=False, description="Let it count at once, without a decision on its effect")


class LearningProposed(Event, type="learning.proposed"):
    """What a learning would change; it counts once somebody applies it."""

    learning: Learning


class LearningRefused(Event, type="learning.refused"):
    """A learning that was not understood, or cannot be decided so any more; nothing changed."""

    learning_id: UUID
    problem: Problem


class LearningDecided(Event, type="learning.decided"):
    """Somebody applies, discards or undoes a learning."""

    learning_id: UUID
    decision: LearningDecision
    decided_by: str


class FieldMappingLearned(Event, type="field_mapping.learned"):
    """What counts from now on is different: a learning was applied or undone."""

    learning: Learning
    revision: int = Field(description="Grows with each of the tenant's changes")
    added: list[Lesson] = Field(description="Lessons that count now and did not before")
    removed: list[UUID] = Field(description="Lessons that counted before and do not any more")


class MappingSaved(Event, type="mapping.saved"):
    """How the columns of a source's files are mapped: for each version of its header, the newest import."""

    mapping_id: UUID
    source_id: UUID
    source_name: str
    kind: str
    family: str
    file_name: str
    sheet: str | None = None
    columns: list[ColumnMapping]
    drift: list[Drift] = Field(default=[], description="Against the version of the header that it was recognised by")
    decided: bool = Field(description="Whether an inventory was made with it; else it came with a document")
    missing_fields: dict[str, list[str]] = Field(
        default={}, description="Required fields that no accepted column has, by type of asset: server, vm, database, …"
    )


class MappingDeleted(Event, type="mapping.deleted"):
    """A saved mapping is forgotten; lessons of its source stay."""

    mapping_id: UUID
    deleted_by: str


class MappingSourceRenamed(Event, type="mapping_source.renamed"):
    """People call a source otherwise."""

    source_id: UUID
    name: str
    renamed_by: str


class OwnFieldSaved(Event, type="own_field.saved"):
    """A tenant has a field of its own, or has changed it."""

    field: OwnField
    saved_by: str


class OwnFieldDeleted(Event, type="own_field.deleted"):
    """A tenant's own field is no longer proposed; what assets have of it stays."""

    field_id: str
    deleted_by: str
